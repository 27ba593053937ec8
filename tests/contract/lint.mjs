// Lints an OpenAPI document by Redocly's recommended rules. Usage: node lint.mjs FOLDER_WITH_NODE_MODULES DOCUMENT
// A line an error or warning; ends with 1 if there is any.
import { createRequire } from 'node:module';

const [modules, document] = process.argv.slice(2);
const { createConfig, lint } = createRequire(`${modules}/package.json`)('@redocly/openapi-core');
const problems = await lint({ ref: document, config: await createConfig({ extends: ['recommended'] }) });
for (const problem of problems) {
  console.log(`${problem.severity} ${problem.location[0]?.pointer ?? ''}: ${problem.message}`);
}
process.exit(problems.length > 0 ? 1 : 0);
