SELECT id FROM deployment
