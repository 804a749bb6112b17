#!/usr/bin/env bash
# The short way in: thin over Terraform, gcloud and the ops function. docs/operations.md tells when to use what.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: ./deploy.sh <command>

  stage <job> <folder>         a function's bundle, as Terraform archives it (balance price cost fifteen_min_job rebalance ops)
  plan [lean|durable] […]      what apply would change; the profile is remembered, further words go to terraform
  apply [lean|durable] […]     provision, or bring up to date
  secrets [trade|read] [day]   add an exchange key (asked for, or two lines on standard input) and pin its version;
                               day is when a trading key was made, YYYY-MM-DD, today unless said
  run <job>                    let the scheduler call a job now
  logs <job>                   its last lines
  status                       the bot at a glance, and its schedules
  pause <reason> [until]       no order from now on; until is a time such as 2026-01-31T12:00:00Z
  resume                       orders are allowed again
  verify                       everything that could silently be wrong, from inside and outside
  restore [journal|exchange]   rebuild an empty Redis from the journal and the exchange, or from the exchange alone
  destroy                      take all of it down but the address and the journal
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
terraform_dir="$here/terraform"
rule="$terraform_dir/modules/bundle/rule.txt"
jobs="balance price cost fifteen_min_job rebalance"
functions="$jobs ops"

die() {
  printf 'deploy.sh: %s\n' "$*" >&2
  exit 1
}

is_one_of() { # word, list
  case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# --- stage ---------------------------------------------------------------------------------------------

stage() {
  [ $# -eq 2 ] || die "usage: ./deploy.sh stage <job> <folder>"
  local job=$1 folder=$2 files from to
  is_one_of "$job" "$functions" || die "no such job: $job (one of: $functions)"
  if [ -e "$folder" ] || [ -L "$folder" ]; then
    [ -d "$folder" ] || die "not a folder: $folder"
    [ -z "$(ls -A "$folder")" ] || die "folder is not empty: $folder"
  fi
  files=$(bundle_files "$job") # refuses before anything is written
  while IFS='	' read -r from to; do
    mkdir -p "$folder/$(dirname "$to")"
    cat "$here/$from" >"$folder/$to"
  done <<<"$files"
}

# Print "path in the checkout<TAB>path in the bundle" for every file that the rule admits.
bundle_files() { # job
  local from to files file
  while read -r from to files; do
    case "$from" in '' | '#'*) continue ;; esac
    from=${from/\{job\}/$1}
    case "$files" in
      '**/'*)
        [ -d "$here/$from" ] || continue
        (cd "$here/$from" && find -L . -type f -name "${files#\*\*/}") | sort | while IFS= read -r file; do
          printf '%s\t%s\n' "$from/${file#./}" "$to/${file#./}"
        done
        ;;
      *)
        [ -f "$here/$from/$files" ] || die "not in this checkout: $from/$files"
        printf '%s\t%s\n' "$from/$files" "$to/$files"
        ;;
    esac
  done <"$rule"
}

# --- what has to be there before anything is done -----------------------------------------------------------

need() { # tools
  local tool missing=""
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
  done
  [ -z "$missing" ] || die "not installed:$missing"
  if is_one_of terraform "$*"; then
    local version
    version=$(terraform version | sed -n '1s/^Terraform v\([0-9]*\.[0-9]*\).*/\1/p')
    case "$version" in
      0.* | 1.[0-9] | 1.10) die "Terraform is $version, but 1.11 or newer is needed" ;;
      *) ;;
    esac
  fi
}

need_login() {
  account=$(gcloud auth list --filter=status:ACTIVE --format='value(account)' 2>/dev/null || true)
  [ -n "$account" ] || die "gcloud has no account: gcloud auth login"
}

# Terraform uses credentials of its own.
need_terraform_login() {
  [ -n "${GOOGLE_APPLICATION_CREDENTIALS:-}${GOOGLE_OAUTH_ACCESS_TOKEN:-}" ] ||
    gcloud auth application-default print-access-token >/dev/null 2>&1 ||
    die "Terraform has no credentials: gcloud auth application-default login"
}

# Ask the project which of these permissions the account has; all that are missing are named.
need_permissions() { # project, permissions
  local project=$1 body="" permission answer missing=""
  shift
  for permission in "$@"; do body="$body${body:+,}\"$permission\""; done
  answer=$(curl_as "$(gcloud auth print-access-token)" --request POST --header 'Content-Type: application/json' \
    --data "{\"permissions\":[$body]}" --fail \
    "https://cloudresourcemanager.googleapis.com/v1/projects/$project:testIamPermissions") ||
    die "cannot ask project $project for the permissions of $account: does it exist, and may the account see it?"
  for permission in "$@"; do
    case "$answer" in *"\"$permission\""*) ;; *) missing="$missing $permission" ;; esac
  done
  [ -z "$missing" ] || die "$account lacks in project $project:$missing"
}

# The token goes over standard input: arguments can be seen by every process of the machine.
curl_as() { # token, curl's arguments
  local token=$1
  shift
  printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --config - --silent --show-error --max-time 600 "$@"
}

# --- Terraform ---------------------------------------------------------------------------------------------

in_terraform() {
  terraform -chdir="$terraform_dir" "$@"
}

output() { # name
  local value
  value=$(in_terraform output -raw "$1" 2>/dev/null) && [ "${value#*No outputs found}" = "$value" ] ||
    die "Terraform knows no $1 yet: ./deploy.sh apply first"
  printf '%s' "$value"
}

# Before the first apply the project is known from the variables only.
project_of_variables() {
  local project=${TF_VAR_project_id:-} file
  for file in "$terraform_dir/terraform.tfvars" "$terraform_dir"/*.auto.tfvars; do
    [ -f "$file" ] || continue
    project=$(sed -n 's/^[[:space:]]*project_id[[:space:]]*=[[:space:]]*"\([^"]*\)".*/\1/p' "$file" | grep . || printf '%s' "$project")
  done
  [ -n "$project" ] || die "no project_id: copy terraform/terraform.tfvars.example to terraform/terraform.tfvars and fill it in"
  printf '%s' "$project"
}

use_profile() { # profile
  local chosen="$terraform_dir/profile.auto.tfvars" known ours=""
  [ -f "$terraform_dir/profiles/$1.tfvars" ] || die "no such profile: $1"
  if [ -f "$chosen" ]; then
    for known in "$terraform_dir"/profiles/*.tfvars; do
      cmp -s "$known" "$chosen" && ours=yes
    done
    [ -n "$ours" ] || die "terraform/profile.auto.tfvars was changed by hand: remove it, or leave the profile out"
  fi
  cp "$terraform_dir/profiles/$1.tfvars" "$chosen"
}

provision() { # plan|apply, [profile], terraform's arguments
  local verb=$1 project
  shift
  need terraform gcloud curl
  need_login
  need_terraform_login
  project=$(project_of_variables)
  # One for each kind of resource; Terraform itself names any other that is missing.
  need_permissions "$project" \
    resourcemanager.projects.get resourcemanager.projects.setIamPolicy serviceusage.services.enable \
    iam.serviceAccounts.create iam.serviceAccounts.actAs cloudfunctions.functions.create run.services.setIamPolicy \
    cloudscheduler.jobs.create redis.instances.create compute.networks.create compute.addresses.create \
    vpcaccess.connectors.create secretmanager.secrets.create storage.buckets.create logging.sinks.create \
    logging.logMetrics.create monitoring.alertPolicies.create monitoring.dashboards.create
  case "${1:-}" in
    '' | -*) ;;
    *)
      use_profile "$1"
      shift
      ;;
  esac
  in_terraform init -input=false >/dev/null || die "terraform init failed: terraform -chdir=terraform init"
  in_terraform "$verb" "$@"
}

apply() {
  provision apply "$@"
  cat <<NEXT

Bind the exchange key to $(output egress_address), then:
  ./deploy.sh secrets     add the key
  ./deploy.sh apply       hand it to the functions
  ./deploy.sh verify      see that all is well
NEXT
}

destroy() {
  need terraform gcloud
  need_login
  need_terraform_login
  local project region instance prefix answer kept
  project=$(output project_id)
  region=$(output region)
  prefix=$(output name_prefix)
  instance="${prefix}qrl-bot"
  cat <<EXPLAIN
This deletes the bot in project $project: functions, schedules, alerts, secrets, network and Redis with all it holds.
Two things stay, because nothing brings them back:
  the address ${prefix}qrl-bot-egress, to which the exchange key is bound (7.30 USD a month while unused)
  the bucket $(output journal_bucket) with every fill, intent and plan
EXPLAIN
  printf 'Type the project id to go on: '
  read -r answer || true
  [ "$answer" = "$project" ] || die "nothing was deleted"

  in_terraform init -input=false >/dev/null
  in_terraform destroy -auto-approve -target=google_cloud_scheduler_job.job # no run may meet half of it
  if gcloud redis instances describe "$instance" --region="$region" --project="$project" >/dev/null 2>&1; then
    gcloud redis instances delete "$instance" --region="$region" --project="$project" --quiet
  fi
  kept=$(in_terraform state list | grep -E '^google_(redis_instance\.store|compute_address\.egress|storage_bucket\.journal)' || true)
  while IFS= read -r address; do
    [ -z "$address" ] || in_terraform state rm "$address"
  done <<<"$kept"
  in_terraform destroy "$@"
}

# --- exchange keys -------------------------------------------------------------------------------------------

secrets() {
  local kind=${1:-trade} day=${2:-} project prefix key secret
  case "$kind" in trade | read) ;; *) die "usage: ./deploy.sh secrets [trade|read] [day]" ;; esac
  [ -z "$day" ] || is_day "$day" || die "not a day, YYYY-MM-DD: $day"
  need terraform gcloud curl
  need_login
  project=$(output project_id)
  prefix=$(output name_prefix)
  need_permissions "$project" secretmanager.versions.add

  key=$(ask "API key ($kind)")
  secret=$(ask "Secret key ($kind)")
  [ -n "$key" ] && [ -n "$secret" ] || die "an empty key: nothing was added"
  local name=mexc_api_key name_of_secret=mexc_secret_key
  if [ "$kind" = read ]; then
    name=read_mexc_api_key
    name_of_secret=read_mexc_secret_key
  fi
  key=$(add_version "$project" "$prefix" "$name" "$key")
  secret=$(add_version "$project" "$prefix" "$name_of_secret" "$secret")

  # The other pair, and its day, stay as they are.
  local file="$terraform_dir/secrets.auto.tfvars" entry version created=""
  [ ! -f "$file" ] || created=$(sed -n 's/^mexc_key_created = "\(.*\)"$/\1/p' "$file")
  [ "$kind" = read ] || created=${day:-$(date -u +%Y-%m-%d)}
  {
    printf '# Written by deploy.sh secrets: which versions the functions are given. The values are in Secret Manager only.\n'
    printf 'secret_versions = {\n'
    for entry in mexc_api_key mexc_secret_key read_mexc_api_key read_mexc_secret_key; do
      version=""
      [ ! -f "$file" ] || version=$(sed -n "s/^  $entry *= *\([0-9]*\)\$/\1/p" "$file")
      [ "$entry" != "$name" ] || version=$key
      [ "$entry" != "$name_of_secret" ] || version=$secret
      [ -z "$version" ] || printf '  %-20s = %s\n' "$entry" "$version"
    done
    printf '}\n'
    [ -z "$created" ] || printf 'mexc_key_created = "%s"\n' "$created"
  } >"$file.new"
  mv "$file.new" "$file"
  printf 'Pinned in terraform/secrets.auto.tfvars. ./deploy.sh apply hands it to the functions.\n'
}

is_day() {
  case "$1" in [0-9][0-9][0-9][0-9]-[0-1][0-9]-[0-3][0-9]) return 0 ;; *) return 1 ;; esac
}

# Read a line without showing it.
ask() { # prompt
  local line
  if [ -t 0 ]; then printf '%s: ' "$1" >&2; fi
  IFS= read -rs line || true
  if [ -t 0 ]; then printf '\n' >&2; fi
  printf '%s' "$line"
}

add_version() { # project, prefix, name, value
  local version
  version=$(printf '%s' "$4" | gcloud secrets versions add "$2$(kebab "$3")" --project="$1" --data-file=- --format='value(name)') ||
    die "no version of $2$(kebab "$3") was added"
  version=${version##*/}
  case "$version" in '' | *[!0-9]*) die "gcloud told no version of $2$(kebab "$3"), but: $version" ;; esac
  printf '%s' "$version"
}

kebab() {
  printf '%s' "$1" | tr _ -
}

# --- jobs and their lines -----------------------------------------------------------------------------------

run() {
  [ $# -eq 1 ] || die "usage: ./deploy.sh run <job>"
  is_one_of "$1" "$jobs" || die "no such job: $1 (one of: $jobs)"
  need terraform gcloud curl
  need_login
  local project
  project=$(output project_id)
  need_permissions "$project" cloudscheduler.jobs.run
  gcloud scheduler jobs run "$(output name_prefix)$(kebab "$1")" --location="$(output region)" --project="$project"
  printf 'Called. ./deploy.sh logs %s shows what came of it.\n' "$1"
}

logs() {
  [ $# -eq 1 ] || die "usage: ./deploy.sh logs <job>"
  is_one_of "$1" "$functions" || die "no such job: $1 (one of: $functions)"
  need terraform gcloud curl
  need_login
  local project
  project=$(output project_id)
  need_permissions "$project" logging.logEntries.list
  gcloud logging read \
    "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"$(output name_prefix)$(kebab "$1")\"" \
    --project="$project" --freshness=1d --limit=50 --order=desc \
    --format='value(timestamp.date("%Y-%m-%d %H:%M:%S", tz=UTC), severity, jsonPayload.message, textPayload)'
}

# --- the operators' door -------------------------------------------------------------------------------------

call_ops() { # method, path, [body]
  local url audience token answer code
  url=$(output ops_url)
  case "$account" in
    *.gserviceaccount.com)
      audience=$(output ops_audience)
      token=$(gcloud auth print-identity-token --audiences="$audience")
      ;;
    *) token=$(gcloud auth print-identity-token) ;;
  esac || die "gcloud gives no identity token for $account"
  answer=$(curl_as "$token" --request "$1" --header 'Content-Type: application/json' ${3:+--data "$3"} \
    --write-out '\n%{http_code}' "$url$2") || die "ops cannot be reached: $url"
  code=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  case "$code" in
    2??) printf '%s\n' "$answer" ;;
    401 | 403) die "ops refuses $account ($code): it has to be among operators (terraform/terraform.tfvars), with ./deploy.sh apply since" ;;
    *)
      printf '%s\n' "$answer" >&2
      die "ops answered $code"
      ;;
  esac
}

ops() { # method, path, [body]
  need terraform gcloud curl python3
  need_login
  local answer
  answer=$(call_ops "$@")
  printf '%s\n' "$answer" | python3 -m json.tool --no-ensure-ascii
  case "$answer" in *'"status":"success"'* | *'"status": "success"'*) ;; *) die "ops did not do it: see its reason" ;; esac
}

# A JSON string.
quoted() {
  python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"
}

status() {
  ops GET /
  gcloud scheduler jobs list --location="$(output region)" --project="$(output project_id)" \
    --format='table(name.basename(), schedule, state, lastAttemptTime.date(tz=UTC):label=LAST_CALL, status.code.yesno(no="0"):label=STATUS)'
}

pause() {
  [ $# -ge 1 ] && [ $# -le 2 ] && [ -n "$1" ] || die "usage: ./deploy.sh pause <reason> [until]"
  need python3
  local until=""
  [ $# -eq 1 ] || until=", \"until\": $(quoted "$2")"
  ops POST / "{\"command\": \"pause\", \"reason\": $(quoted "$1")$until}"
}

resume() {
  ops POST / '{"command": "resume"}'
}

restore() {
  case "${1:-}" in
    '') ops POST / '{"command": "restore"}' ;;
    journal | exchange) ops POST / "{\"command\": \"restore\", \"source\": \"$1\"}" ;;
    *) die "usage: ./deploy.sh restore [journal|exchange]" ;;
  esac
}

# --- verify: what ops can see from inside, and what only shows from outside ------------------------------------

failed=0

check() { # what, detail for when it fails, command that tells
  local what=$1 detail=$2
  shift 2
  if "$@"; then
    printf 'ok    %s\n' "$what"
  else
    printf 'FAIL  %s: %s\n' "$what" "${detail:-nothing}"
    failed=$((failed + 1))
  fi
}

is() {
  [ "$1" = "$2" ]
}

lacks() { # text, words
  local word text=$1
  shift
  for word in "$@"; do
    case "$text" in *"$word"*) return 1 ;; *) ;; esac
  done
}

verify() {
  need terraform gcloud curl python3
  need_login
  local project region prefix
  project=$(output project_id)
  region=$(output region)
  prefix=$(output name_prefix)
  need_permissions "$project" cloudfunctions.functions.get cloudscheduler.jobs.get compute.addresses.list \
    compute.routers.get redis.instances.get run.services.getIamPolicy

  verify_functions
  verify_schedules
  verify_egress
  verify_redis
  verify_inside
  [ "$failed" -eq 0 ] || die "$failed of the checks failed"
  printf 'All is well.\n'
}

# What gcloud tells of something, or its complaint.
told() { # command, then the thing and its flags
  gcloud "$@" --project="$project" 2>&1 || true
}

verify_functions() {
  local job name state members
  for job in $functions; do
    name="$prefix$(kebab "$job")"
    state=$(told functions describe "$name" --v2 --region="$region" --format='value(state)')
    check "function $name is deployed" "$state" is "$state" ACTIVE
    # Were the platform not to check callers, anybody could forge a token that looks checked.
    members=$(told run services get-iam-policy "$name" --region="$region" --format='value(bindings.members)')
    check "function $name is closed to strangers" "$members" lacks "$members" allUsers allAuthenticatedUsers ERROR
  done
}

verify_schedules() {
  local job name state attempt code
  for job in $jobs; do
    name="$prefix$(kebab "$job")"
    state=$(told scheduler jobs describe "$name" --location="$region" --format='value(state)')
    if [ "$state" = PAUSED ]; then
      printf 'ok    schedule %s is paused\n' "$name"
      continue
    fi
    check "schedule $name is enabled" "$state" is "$state" ENABLED
    attempt=$(told scheduler jobs describe "$name" --location="$region" --format='value(lastAttemptTime)')
    code=$(told scheduler jobs describe "$name" --location="$region" --format='value(status.code)')
    check "schedule $name has fired" never [ -n "$attempt" ]
    check "schedule $name was answered with success" "status $code" is "${code:-0}" 0
  done
}

verify_egress() {
  local address link nat
  address=$(output egress_address)
  link=$(told compute addresses list --filter="address=$address" --format='value(selfLink)')
  nat=$(told compute routers nats describe "${prefix}qrl-bot" --router="${prefix}qrl-bot" --region="$region" \
    --format='value[separator=" "](natIpAllocateOption,natIps)')
  check "the exchange sees $address and nothing else" "NAT: $nat" is "$nat" "MANUAL_ONLY $link"
}

verify_redis() {
  local found
  found=$(told redis instances describe "${prefix}qrl-bot" --region="$region" \
    --format='value[separator=" "](state,authEnabled,transitEncryptionMode,persistenceConfig.persistenceMode,redisConfigs.maxmemory-policy)')
  check "Redis is up, encrypted, with a password and snapshots, and never evicts" "$found" \
    is "$found" "READY True SERVER_AUTHENTICATION RDB noeviction"
}

verify_inside() {
  local answer
  answer=$(call_ops GET /verify 2>&1) || true
  printf '%s' "$answer" | findings || failed=$((failed + 1))
}

# The report of ops, a line for each thing it looked at; "look" where only a person can tell.
findings() {
  python3 -c '
import json, sys
text = sys.stdin.read()
try:
    report = json.loads(text)["data"]
    for found in report["findings"]:
        word = {True: "ok   ", False: "FAIL ", None: "look "}[found["ok"]]
        print(word, "inside: " + found["name"] + ": " + found["explanation"])
    healthy = report["healthy"] is True
except (ValueError, KeyError, TypeError):
    print("FAIL  inside: ops gives no report:", text)
    healthy = False
sys.exit(not healthy)
'
}

command=${1:-}
[ $# -eq 0 ] || shift
case "$command" in
  stage | apply | secrets | run | logs | status | pause | resume | verify | restore | destroy) "$command" "$@" ;;
  plan) provision plan "$@" ;;
  '' | help | -h | --help) usage ;;
  *)
    usage >&2
    die "no such command: $command"
    ;;
esac
