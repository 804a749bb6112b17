# An environment: copy to terraform/envs/NAME.tfvars (not committed), then ./deploy.sh --env NAME plan.
# It has a state and a data folder of its own; nothing of terraform.tfvars is read. Two environments may share a project
# when each has a name_prefix.
project_id  = "my-project-staging"
operators   = ["user:me@example.com"]
name_prefix = "stage"
profile     = "lean"

notification_channels = {
  me = { type = "email", labels = { email_address = "me@example.com" } }
}

# Two bots upon one foundation: each has functions, accounts, schedules, journal, dashboard and alerts of its own.
bots = {
  qrl = { execution_mode = "plan" }
  btc = { symbol = "BTCUSDT", target_ratio = 0.6, settings = { MAX_NOTIONAL_USDT = "200" } }
}
