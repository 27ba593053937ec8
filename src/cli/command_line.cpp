#include "drover/cli/command_line.hpp"

#include <cstdlib>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>

namespace drover::cli {
namespace {

// CLI11's envname() cannot be used. The verbs share one variable, and CLI11 would read the environment into
// the option of every verb that was not typed, after the option of the typed one, and overwrite it.
std::string default_url() {
  const char* url = std::getenv("DROVER_URL");
  return url != nullptr && url[0] != '\0' ? url : kDefaultUrl;
}

// CLI11 binds options to variables that must live until it has parsed; the last subcommand's callback says
// which of them counts.
struct Parser {
  explicit Parser(int argc) : arguments(argc) {}

  int arguments;
  CLI::App app{"Drover: a job scheduler for one head node and EC2 spot workers."};
  Command command = VersionCommand{};
  ServeCommand serve;
  DevCommand dev;
  LocalCloudCommand local_cloud;
  MigrateCommand migrate;
  DoctorCommand doctor;
  std::string url = default_url();
  SubmitCommand submit;
  ListCommand list;
  ShowCommand show;
  LogsCommand logs;
  ChangeCommand change;

  CLI::App* program(const char* name, const char* help) {
    return app.add_subcommand(name, help)->group("Programs");
  }
  CLI::App* client(const char* name, const char* help) {
    CLI::App* sub = app.add_subcommand(name, help)->group("Clients of a running daemon");
    sub->add_option("--url", url, "The daemon; wins over DROVER_URL")->capture_default_str();
    return sub;
  }
  // The rest of the command line as it was typed. CLI11 splits an element such as "[.a,.b]" where a list has
  // no end, so this one has room for as many elements as there are arguments.
  CLI::Option* words(CLI::App* sub, const char* name, std::vector<std::string>& into, const char* help) {
    return sub->add_option(name, into, help)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->expected(arguments)
        ->allow_extra_args(false)
        ->option_text("...");
  }
  template <class Verb>
  void run_client(CLI::App* sub, Verb& verb) {
    sub->callback([this, &verb] { command = ClientCommand{url, verb}; });
  }

  void add_programs() {
    CLI::App* sub = program("serve", "Run the daemon");
    sub->add_option("--config", serve.config, "Configuration file")->capture_default_str();
    sub->add_option("--http-transport", serve.http_transport,
                    "What carries HTTP, instead of server.transport")
        ->check(CLI::IsMember({"beast", "cpprest"}));
    sub->callback([this] { command = serve; });

    sub = program("dev", "Run everything on this machine: PostgreSQL, a local cloud, the daemon");
    sub->add_option("--data", dev.data, "Where jobs and logs are kept between runs");
    CLI::Option* listen =
        sub->add_option("--listen", dev.listen, "Address and port of the API; port 0: any free one");
    listen->capture_default_str();
    sub->add_flag("--demo", dev.demo, "Run a demonstration with real jobs and interruptions, then stop");
    sub->add_option("--input", dev.input, "Directory whose files the demonstration works on")
        ->capture_default_str();
    sub->callback([this, listen] {
      dev.listen_given = listen->count() > 0;
      command = dev;
    });

    sub = program("migrate", "Bring the database's schema up to date");
    sub->add_option("--config", migrate.config, "Configuration file")->capture_default_str();
    sub->callback([this] { command = migrate; });

    sub = program("doctor", "Check the configuration and all that it points to; changes nothing");
    sub->add_option("--config", doctor.config, "Configuration file")->capture_default_str();
    sub->add_flag("--policy", doctor.policy, "Only print the IAM policy that a daemon needs");
    sub->callback([this] { command = doctor; });

    program("version", "Print the version")->callback([this] { command = VersionCommand{}; });
    add_local_cloud();
  }

  void add_local_cloud() {
    CLI::App* sub =
        program("localcloud", "Run an EC2-compatible endpoint whose instances are local processes");
    sub->add_option("--listen", local_cloud.listen, "Address and port of the EC2 endpoint")
        ->capture_default_str();
    sub->add_option("--control", local_cloud.control, "Address and port of the control interface")
        ->capture_default_str();
    sub->add_option("--data", local_cloud.data, "Directory of the instances")->required();
    sub->add_option("--access-key", local_cloud.access_key, "Access key that it accepts")
        ->capture_default_str();
    sub->add_option("--secret-key", local_cloud.secret_key, "Its secret key")
        ->envname("DROVER_LOCALCLOUD_SECRET_KEY");
    sub->add_option("--region", local_cloud.region, "Region that it claims to be")->capture_default_str();
    sub->add_flag("--terminate-on-exit", local_cloud.terminate_on_exit,
                  "End every instance when it is told to stop");
    sub->callback([this] { command = local_cloud; });
  }

  void add_submit() {
    CLI::App* sub = client("submit", "Submit a job: drover submit -- PROGRAM ARGUMENT..., or --shell TEXT");
    sub->add_option("--queue,-q", submit.queue, "Queue (default: default)");
    sub->add_option("--name,-n", submit.name, "Name");
    sub->add_option("--priority,-p", submit.priority, "Higher runs first (default: 0)");
    sub->add_option("--max-attempts", submit.max_attempts, "Failures allowed in all");
    sub->add_option("--timeout", submit.timeout_s, "Seconds that one attempt may take");
    sub->add_option("--env,-e", submit.env, "NAME=value; may be repeated")->allow_extra_args(false);
    sub->add_flag("--hold", submit.hold, "Do not start before it is released");
    CLI::Option* shell = sub->add_option("--shell,-c", submit.shell, "Shell text to run");
    CLI::Option* args = words(sub, "program", submit.args, "Program and its arguments, behind --");
    args->excludes(shell);
    sub->positionals_at_end();
    run_client(sub, submit);
  }

  void add_clients() {
    add_submit();
    CLI::App* sub = client("list", "List jobs, newest first");
    sub->add_option("--state", list.state, "Only jobs in this state");
    sub->add_option("--queue,-q", list.queue, "Only jobs of this queue");
    sub->add_option("--name,-n", list.name, "Only jobs of this name");
    sub->add_option("--limit", list.limit, "Jobs at most")->capture_default_str()->check(CLI::Range(1, 1000));
    run_client(sub, list);

    sub = client("show", "Show a job and its attempts");
    sub->add_option("job", show.job, "Number or id")->required();
    run_client(sub, show);

    sub = client("logs", "Print what a job wrote");
    sub->add_option("job", logs.job, "Number or id")->required();
    sub->add_option("--stream", logs.stream, "stdout or stderr")
        ->capture_default_str()
        ->check(CLI::IsMember({"stdout", "stderr"}));
    sub->add_option("--attempt", logs.attempt, "Attempt (default: the latest)");
    run_client(sub, logs);

    for (const auto& [name, help] :
         {std::pair{"cancel", "Cancel jobs"}, std::pair{"hold", "Hold jobs back"},
          std::pair{"release", "Release held jobs"}, std::pair{"requeue", "Run finished jobs again"}}) {
      sub = client(name, help);
      words(sub, "job", change.jobs, "Numbers or ids")->required();
      sub->callback([this, action = std::string(name)] {
        change.action = action;
        command = ClientCommand{url, change};
      });
    }
    client("pause", "Start no more jobs and no more machines")->callback([this] {
      command = ClientCommand{url, PauseCommand{true}};
    });
    client("resume", "Undo pause")->callback([this] { command = ClientCommand{url, PauseCommand{false}}; });
    client("status", "Show queues and workers in numbers")->callback([this] {
      command = ClientCommand{url, StatusCommand{}};
    });
    client("workers", "List workers")->callback([this] { command = ClientCommand{url, WorkersCommand{}}; });
    client("pools", "List pools")->callback([this] { command = ClientCommand{url, PoolsCommand{}}; });
  }
};

}  // namespace

std::variant<Command, int> parse_command_line(int argc, const char* const* argv) {
  auto parser = std::make_unique<Parser>(argc);
  parser->app.require_subcommand(1);
  parser->app.set_version_flag("--version", std::string("drover ") + DROVER_VERSION);
  parser->add_programs();
  parser->add_clients();
  try {
    parser->app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int status = parser->app.exit(error);
    return status == 0 ? 0 : 2;
  }
  return parser->command;
}

}  // namespace drover::cli
