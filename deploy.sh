#!/usr/bin/env bash
# The short way in: thin over Terraform, gcloud and the ops function. docs/operations.md tells when to use what.
# It keeps to what bash 3.2 knows, the one that macOS has. A command that may fail is never inside $(…) of a `local`, and
# `die` is never relied upon there: a subshell can end nothing but itself.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: ./deploy.sh [--env NAME] [--bot NAME] <command>

  stage <job> <folder>         a function's bundle, as Terraform archives it (balance price cost fifteen_min_job rebalance ops)
  plan [profile] […]           what apply would change, or would with that profile (lean durable direct); nothing is written;
                               further words go to terraform (-out=FILE)
  apply [file] […]             provision, or bring up to date; a saved plan is applied as it was shown
  secrets [trade|read] [day]   add an exchange key (asked for, or two lines on standard input) and pin its version;
                               day is when a trading key was made, YYYY-MM-DD, today unless said
  run <job>                    let the scheduler call a job now
  logs <job>                   its last lines
  status [--json]              the bot at a glance, in ten lines or whole, and its schedules
  report [file]                save the report as a page of its own
  pause <reason> [until]       no order from now on; until is a time such as 2026-01-31T12:00:00Z
  resume                       orders are allowed again
  confirm [hash]               live orders are allowed under the settings that the last live run had; with a hash only if
                               they are those
  tell <json>                  any other command of ops, such as {"command": "ignore-fill", …}
  verify                       everything that could silently be wrong, from inside and outside
  restore [journal|exchange [confirm]]
                               rebuild an empty Redis from the journal and the exchange, or from the exchange alone;
                               over a ledger that is there, with the "confirm" of the answer without it
  destroy                      take all bots down; it says what stays

--env NAME: terraform/envs/NAME.tfvars, with a state and a data folder of its own. --bot NAME: which of several bots.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
terraform_dir="$here/terraform"
rule="$terraform_dir/modules/bundle/rule.txt"
jobs="balance price cost fifteen_min_job rebalance"
functions="$jobs ops"
profiles="lean durable direct"
backend_prefix="qrl-bot"

environment="" bot=""
var_files=() init_options=()
variables_file="terraform.tfvars" pins="secrets.auto.tfvars.json" # in terraform/; an environment has its own

die() {
  printf 'deploy.sh: %s\n' "$*" >&2
  exit 1
}

is_one_of() { # word, list
  case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

# Refuse a command with too few words or too many: what it does not understand it does not do.
takes() { # least, most, how it is called, the command's words
  local least=$1 most=$2 form=$3
  shift 3
  [ $# -ge "$least" ] && [ $# -le "$most" ] || die "usage: ./deploy.sh $form"
}

# --- stage ---------------------------------------------------------------------------------------------

stage() {
  takes 2 2 "stage <job> <folder>" "$@"
  local job=$1 folder=$2 files from to
  is_one_of "$job" "$functions" || die "no such job: $job (one of: $functions)"
  if [ -e "$folder" ] || [ -L "$folder" ]; then
    [ -d "$folder" ] || die "not a folder: $folder"
    [ -z "$(ls -A "$folder")" ] || die "folder is not empty: $folder"
  fi
  files=$(bundle_files "$job") # refuses before anything is written
  while IFS='	' read -r from to; do
    to=$folder/$to
    [ -d "${to%/*}" ] || mkdir -p "${to%/*}"
    cat "$here/$from" >"$to"
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
  local tool missing="" version
  for tool in "$@"; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
  done
  [ -z "$missing" ] || die "not installed:$missing"
  if is_one_of terraform "$*"; then
    version=$(terraform version | sed -n '1s/^Terraform v\([0-9]*\.[0-9]*\).*/\1/p')
    case "$version" in
      0.* | 1.[0-9] | 1.10) die "Terraform is $version, but 1.11 or newer is needed" ;;
      *) ;;
    esac
  fi
}

account="" impersonated=""

need_login() {
  impersonated=$(gcloud config get-value auth/impersonate_service_account 2>/dev/null || true)
  case "$impersonated" in *@*) account=$impersonated ;; *) impersonated="" ;; esac
  [ -n "$account" ] || account=$(gcloud auth list --filter=status:ACTIVE --format='value(account)' 2>/dev/null || true)
  [ -n "$account" ] || die "gcloud has no account: gcloud auth login"
}

# Terraform uses credentials of its own: what it lacks is asked for with its token, not gcloud's.
terraform_token=""

need_terraform_login() {
  terraform_token=${GOOGLE_OAUTH_ACCESS_TOKEN:-}
  [ -n "$terraform_token" ] || terraform_token=$(gcloud auth application-default print-access-token 2>/dev/null || true)
  [ -n "$terraform_token" ] || die "Terraform has no credentials: gcloud auth application-default login"
}

# Ask a project or a billing account which of these permissions the token's account has; all that are missing are named.
need_permissions() { # token, whose it is, URL up to the colon, what it is, permissions
  local token=$1 whose=$2 url=$3 what=$4 body="" permission answer missing="" quota=()
  shift 4
  # A person's application-default credentials have no project of their own to count the question against; gcloud has.
  [ "$token" != "$terraform_token" ] || quota=(--header "X-Goog-User-Project: $project")
  for permission in "$@"; do body="$body${body:+,}\"$permission\""; done
  answer=$(printf 'header = "Authorization: Bearer %s"\n' "$token" |
    curl --config - --silent --show-error --max-time 60 --fail --request POST --header 'Content-Type: application/json' \
      ${quota[@]+"${quota[@]}"} --data "{\"permissions\":[$body]}" "$url:testIamPermissions") ||
    die "cannot ask $what for the permissions of $whose: does it exist, and may the account see it?"
  for permission in "$@"; do
    case "$answer" in *"\"$permission\""*) ;; *) missing="$missing $permission" ;; esac
  done
  [ -z "$missing" ] || die "$whose lacks in $what:$missing"
}

need_project_permissions() { # permissions; of gcloud's account
  local token
  token=$(gcloud auth print-access-token) || die "gcloud gives no access token for $account"
  need_permissions "$token" "$account" "https://cloudresourcemanager.googleapis.com/v1/projects/$project" "project $project" "$@"
}

# --- Terraform ---------------------------------------------------------------------------------------------

in_terraform() {
  terraform -chdir="$terraform_dir" "$@"
}

# An environment has variables, pins, state and data folder of its own, and shares nothing with another but the code.
use_environment() {
  local stray
  case "$environment" in '' | *[!a-z0-9-]*) die "an environment is named in lower-case letters, digits and dashes" ;; *) ;; esac
  variables_file="envs/$environment.tfvars" pins="envs/$environment.secrets.tfvars.json"
  [ -f "$terraform_dir/$variables_file" ] || die "no such environment: terraform/$variables_file (envs/example.tfvars shows one)"
  for stray in "$terraform_dir/terraform.tfvars" "$terraform_dir"/*.auto.tfvars "$terraform_dir"/*.auto.tfvars.json; do
    [ ! -f "$stray" ] || die "${stray#"$here"/} would be read for every environment: move what it says into terraform/envs/"
  done
  [ -f "$terraform_dir/backend.tf" ] || die "an environment keeps a state of its own: cp terraform/backend.tf.example terraform/backend.tf"
  export TF_DATA_DIR="$terraform_dir/.terraform/envs/$environment"
  var_files=(-var-file="$variables_file")
  [ ! -f "$terraform_dir/$pins" ] || var_files+=(-var-file="$pins")
  init_options=(-backend-config="prefix=$backend_prefix/$environment")
  [ ! -f "$terraform_dir/envs/$environment.tfbackend" ] || init_options=(-backend-config="envs/$environment.tfbackend")
}

init() {
  local log
  log=$(in_terraform init -input=false ${init_options[@]+"${init_options[@]}"} 2>&1) && return 0
  printf '%s\n' "$log" >&2
  case "$log" in
    *"Backend configuration changed"*)
      die "backend.tf is not what it was at the last init. For another environment use --env NAME, which keeps its own; never copy one's state to another. If this very state has moved: terraform -chdir=terraform init -migrate-state"
      ;;
    *) die "terraform init failed" ;;
  esac
}

# What Terraform knows of the deployment, and of the bot that is meant.
project="" region="" prefix="" egress_address="" ops_url="" audience="" exchange_key="" function_prefix="" paused="" secret_ids=""

need_deployment() {
  local told known name value
  told=$(in_terraform output -json) || told="{}" # terraform says itself what it lacks
  known=$(printf '%s' "$told" | python3 -c '
import json, sys
wanted = sys.argv[1]
try:
    output = {name: entry["value"] for name, entry in json.loads(sys.stdin.read() or "{}").items()}
except ValueError:
    output = {}
bots = output.get("bots", {})
if not bots:
    sys.exit("Terraform knows of no deployment here: ./deploy.sh apply first (in a fresh checkout of one that is up: ./deploy.sh plan)")
names = ", ".join(sorted(bots))
if wanted not in bots and (wanted or len(bots) > 1):
    sys.exit(f"no such bot: {wanted} (one of: {names})" if wanted else f"which bot? --bot NAME, one of: {names}")
bot = bots[wanted or names]
told = {
    "project": output["project_id"],
    "region": output["region"],
    "prefix": output["name_prefix"],
    "egress_address": output["egress_address"],
    "bot": wanted or names,
    "ops_url": bot["urls"]["ops"],
    "audience": bot["audience"],
    "exchange_key": bot["exchange_key"],
    "function_prefix": bot["functions"]["ops"][: -len("ops")],
    "paused": " ".join(bot["paused"]),
    "secret_ids": " ".join(f"{part}={name}" for part, name in output["exchange_secrets"][bot["exchange_key"]].items()),
}
print("\n".join(f"{name}={value}" for name, value in told.items()))
' "$bot" 2>&1) || die "$known"
  while IFS='=' read -r name value; do printf -v "$name" '%s' "$value"; done <<<"$known"
}

# Before the first apply, and after a destroy, names are known from the variables only.
variable() { # name, default
  local from_environment="TF_VAR_$1" value
  value=$(given "^[[:space:]]*$1")
  printf '%s' "${value:-${!from_environment:-$2}}"
}

given() { # what stands before the = of a text
  local file found value=""
  for file in "$terraform_dir/$variables_file" "$terraform_dir"/*.auto.tfvars; do
    [ -f "$file" ] || continue
    found=$(sed -n "s/$1[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\1/p" "$file")
    value=${found:-$value}
  done
  printf '%s' "$value"
}

need_project() {
  project=$(variable project_id "")
  [ -n "$project" ] ||
    die "no project_id: copy terraform/terraform.tfvars.example to terraform/terraform.tfvars and fill it in, or name an environment: --env NAME"
}

# What an earlier release wrote beside the variables.
carry_over() {
  [ ! -f "$terraform_dir/profile.auto.tfvars" ] ||
    die "terraform/profile.auto.tfvars is of an earlier release and would override terraform.tfvars: write profile = \"…\" there and remove the file"
  [ ! -f "$terraform_dir/secrets.auto.tfvars" ] || pin qrl ""
}

provision() { # plan|apply, [profile or saved plan], terraform's arguments
  local verb=$1 billing_account plan
  shift
  need terraform gcloud curl python3
  need_login
  need_terraform_login
  need_project
  carry_over
  # One for each kind of resource; Terraform itself names any other that is missing.
  need_permissions "$terraform_token" "the account of Terraform's credentials" \
    "https://cloudresourcemanager.googleapis.com/v1/projects/$project" "project $project" \
    resourcemanager.projects.get resourcemanager.projects.setIamPolicy serviceusage.services.enable serviceusage.services.use \
    iam.serviceAccounts.create iam.serviceAccounts.actAs cloudfunctions.functions.create run.services.setIamPolicy \
    cloudscheduler.jobs.create redis.instances.create compute.networks.create compute.addresses.create \
    vpcaccess.connectors.create secretmanager.secrets.create storage.buckets.create artifactregistry.repositories.create \
    logging.sinks.create logging.logMetrics.create monitoring.alertPolicies.create monitoring.dashboards.create
  billing_account=$(given "^[^#]*billing_account")
  [ -z "$billing_account" ] || need_permissions "$terraform_token" "the account of Terraform's credentials" \
    "https://cloudbilling.googleapis.com/v1/billingAccounts/$billing_account" "billing account $billing_account" billing.budgets.create
  case "$verb ${1:-}" in
    "$verb " | "$verb -"*) ;;
    plan*)
      is_one_of "$1" "$profiles" || die "no such profile: $1 (one of: $profiles)"
      var_files+=(-var="profile=$1")
      shift
      ;;
    apply*)
      ! is_one_of "$1" "$profiles" || die "a profile stays: write profile = \"$1\" into terraform/$variables_file, then ./deploy.sh apply"
      [ -f "$1" ] || [ -f "$terraform_dir/$1" ] || die "no such saved plan: $1"
      plan=$1
      [ ! -f "$1" ] || plan="$(cd "$(dirname "$1")" && pwd)/$(basename "$1")" # terraform itself runs in another folder
      shift
      init
      in_terraform apply "$@" "$plan"
      return
      ;;
    *) ;;
  esac
  init
  in_terraform "$verb" ${var_files[@]+"${var_files[@]}"} "$@"
}

apply() {
  provision apply "$@"
  local made
  made=$(in_terraform output -raw egress_address) || die "Terraform does not tell the address: terraform -chdir=terraform output"
  cat <<NEXT

Bind the exchange key to $made, then:
  ./deploy.sh secrets     add the key
  ./deploy.sh apply       hand it to the functions
  ./deploy.sh verify      see that all is well
NEXT
}

destroy() {
  local answer address kept instance instances listed journals targets=()
  need terraform gcloud python3
  need_login
  need_terraform_login
  need_project
  region=$(variable region asia-southeast1)
  prefix=$(variable name_prefix "")
  prefix=$prefix${prefix:+-}
  instance="${prefix}qrl-bot"
  init
  listed=$(in_terraform state list) || die "Terraform's state cannot be read"
  [ -n "$listed" ] || die "Terraform knows of nothing that could be destroyed"
  # Whether Redis is there is asked before anything goes: an instance that only could not be seen would be forgotten, and paid for.
  instances=$(gcloud redis instances list --region="$region" --project="$project" --format='value(name.basename())') ||
    die "cannot see whether Redis is there: nothing was deleted"
  journals=$(sed -n 's/^module\.bot\["\([^"]*\)"\]\.google_storage_bucket\.journal$/\1/p' <<<"$listed" | sed "s/.*/$project-$prefix&-bot-journal/")
  cat <<EXPLAIN
This deletes all bots in project $project: functions, schedules, alerts, secrets, network, and Redis with all it holds.
What stays:
  the address ${prefix}qrl-bot-egress, to which the exchange key is bound (7.30 USD a month while unused)
  the journal of each bot, with every fill, intent and plan: $(tr '\n' ' ' <<<"$journals")
  the platform's own copies of the sources, in the bucket gcf-v2-sources-…, and its log lines for 30 days
  the project's services, which others may use, and the bucket of Terraform's state
EXPLAIN
  printf 'Type the project id to go on: '
  read -r answer || true
  [ "$answer" = "$project" ] || die "nothing was deleted"

  while IFS= read -r address; do # no run may meet half of it
    case "$address" in *google_cloud_scheduler_job*) targets+=(-target="$address") ;; *) ;; esac
  done <<<"$listed"
  [ ${#targets[@]} -eq 0 ] || in_terraform destroy -auto-approve ${var_files[@]+"${var_files[@]}"} "${targets[@]}"
  if is_one_of "$instance" "${instances//$'\n'/ }"; then
    gcloud redis instances delete "$instance" --region="$region" --project="$project" --quiet || die "Redis was not deleted: repeat this"
  fi
  kept=$(grep -E 'google_(redis_instance\.store|compute_address\.egress|storage_bucket\.journal)' <<<"$listed" || true)
  while IFS= read -r address; do
    [ -z "$address" ] || in_terraform state rm "$address"
  done <<<"$kept"
  in_terraform destroy ${var_files[@]+"${var_files[@]}"} "$@"
  rm -f "$terraform_dir/$pins" # the versions it pins are gone
}

# --- exchange keys -------------------------------------------------------------------------------------------

secrets() {
  takes 0 2 "secrets [trade|read] [day]" "$@"
  local kind=${1:-trade} day=${2:-} key secret part=""
  case "$kind" in trade) ;; read) part=read_ ;; *) die "usage: ./deploy.sh secrets [trade|read] [day]" ;; esac
  [ "$kind" = trade ] || [ -z "$day" ] || die "only a trading key's day is kept"
  need terraform gcloud curl python3
  need_login
  need_deployment
  [ -z "$day" ] || python3 -c '
import datetime, sys
day = datetime.date.fromisoformat(sys.argv[1])
sys.exit(day.isoformat() != sys.argv[1] or day > datetime.datetime.now(datetime.timezone.utc).date())' "$day" 2>/dev/null ||
    die "not a day that has been, YYYY-MM-DD: $day"
  need_project_permissions secretmanager.versions.add

  ask "API key ($kind)"
  key=$asked
  ask "Secret key ($kind)"
  secret=$asked
  [ "$key" != "$secret" ] || die "the API key and its secret are the same text: nothing was added"
  add_version "${part}mexc_api_key" "$key"
  key=$added
  add_version "${part}mexc_secret_key" "$secret"
  secret=$added
  [ "$kind" = read ] || day=${day:-$(date -u +%Y-%m-%d)}
  pin "$exchange_key" "$day" "${part}mexc_api_key=$key" "${part}mexc_secret_key=$secret"
  printf 'Pinned in terraform/%s. ./deploy.sh apply hands it to the functions.\n' "$pins"
}

# Read a line without showing it, without what came along when it was copied.
asked=""

ask() { # what
  local line
  if [ -t 0 ]; then printf '%s: ' "$1" >&2; fi
  IFS= read -rs line || true
  if [ -t 0 ]; then printf '\n' >&2; fi
  asked=$(printf '%s' "$line" | python3 -c '
import string, sys
text = sys.stdin.buffer.read().decode("utf-8", "replace").strip(string.whitespace + "\u00a0\u200b\u200c\u200d\u2060\ufeff")
if not text:
    sys.exit("an empty key")
if not all("!" <= letter <= "~" and letter not in "\"\\" for letter in text):
    sys.exit("a blank, a quote or a letter that no key has inside it")
print(text, end="")' 2>&1) || die "$1: $asked: nothing was added"
}

added=""

add_version() { # part, value
  local name
  name=$(tr ' ' '\n' <<<"$secret_ids" | sed -n "s/^$1=//p")
  added=$(printf '%s' "$2" | gcloud secrets versions add "$name" --project="$project" --data-file=- --format='value(name)') ||
    die "no version of $name was added"
  added=${added##*/}
  case "$added" in '' | *[!0-9]*) die "gcloud told no version of $name, but: $added" ;; *) ;; esac
}

# Write down which versions the functions are given; other keys, the other pair and its day stay as they are.
pin() { # exchange key, day or nothing, part=version …
  python3 -c '
import json, pathlib, re, sys
folder, pins, key, day, *versions = sys.argv[1:]
file, earlier = pathlib.Path(folder, pins), pathlib.Path(folder, "secrets.auto.tfvars")
known = json.loads(file.read_text()) if file.exists() else {}
written, created = known.setdefault("secret_versions", {}), known.setdefault("mexc_key_created", {})
if earlier.exists():
    text = earlier.read_text()
    written.setdefault("qrl", {}).update({part: int(version) for part, version in re.findall(r"^  (\w+) *= *(\d+)$", text, re.M)})
    created.update({"qrl": made for made in re.findall(r"^mexc_key_created = \"(.*)\"$", text, re.M)})
written.setdefault(key, {}).update({part: int(version) for part, version in (pair.split("=") for pair in versions)})
if day:
    created[key] = day
new = file.with_suffix(".new")
new.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
new.replace(file)
earlier.unlink(missing_ok=True)
' "$terraform_dir" "$pins" "$@"
}

kebab() {
  printf '%s' "$1" | tr _ -
}

# --- jobs and their lines -----------------------------------------------------------------------------------

run() {
  takes 1 1 "run <job>" "$@"
  is_one_of "$1" "$jobs" || die "no such job: $1 (one of: $jobs)"
  need terraform gcloud curl python3
  need_login
  need_deployment
  need_project_permissions cloudscheduler.jobs.run
  gcloud scheduler jobs run "$function_prefix$(kebab "$1")" --location="$region" --project="$project"
  printf 'Called. ./deploy.sh logs %s shows what came of it.\n' "$1"
}

logs() {
  takes 1 1 "logs <job>" "$@"
  is_one_of "$1" "$functions" || die "no such job: $1 (one of: $functions)"
  need terraform gcloud curl python3
  need_login
  need_deployment
  need_project_permissions logging.logEntries.list
  gcloud logging read \
    "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"$function_prefix$(kebab "$1")\"" \
    --project="$project" --freshness=1d --limit=50 --order=desc \
    --format='value(timestamp.date("%Y-%m-%d %H:%M:%S", tz=UTC), severity, jsonPayload.message, textPayload)'
}

# --- the operators' door -------------------------------------------------------------------------------------

token=""

# ops knows its callers by the e-mail in their token; a service account's names one only when it is asked to.
need_identity() {
  local options=()
  [ -z "$token" ] || return 0
  case "$account" in *.gserviceaccount.com) options=(--audiences="$audience") ;; *) ;; esac
  [ -z "$impersonated" ] || options+=(--include-email)
  token=$(gcloud auth print-identity-token ${options[@]+"${options[@]}"}) || die "gcloud gives no identity token for $account"
  printf '%s' "$token" | python3 -c '
import base64, json, sys
try:
    part = sys.stdin.read().split(".")[1]
    sys.exit(not json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))).get("email"))
except (IndexError, ValueError):
    sys.exit(1)' ||
    die "the token of $account names no e-mail, by which ops knows its operators. On a machine of Google's own, impersonate the account instead: gcloud config set auth/impersonate_service_account $account"
}

# The operator's token goes twice: in X-Serverless-Authorization the platform checks it and removes its signature, in
# Authorization the function checks it itself. Over standard input: arguments can be seen by every process of the machine.
answer="" code=""

call() { # token for the platform, token for the function, method, path, [body]
  answer=$(printf 'header = "X-Serverless-Authorization: Bearer %s"\nheader = "Authorization: Bearer %s"\n' "$1" "$2" |
    curl --config - --silent --show-error --max-time 600 --request "$3" --header 'Content-Type: application/json' \
      ${5:+--data "$5"} --write-out '\n%{http_code}' "$ops_url$4") || answer=$'\n000'
  code=${answer##*$'\n'}
  answer=${answer%$'\n'*}
}

call_ops() { # method, path, [body]
  need_identity
  call "$token" "$token" "$@"
  case "$code" in
    2??) ;;
    000) die "ops cannot be reached: $ops_url" ;;
    401 | 403) die "ops refuses $account ($code): it has to be among operators (terraform/$variables_file), with ./deploy.sh apply since" ;;
    *)
      printf '%s\n' "$answer" >&2
      die "ops answered $code"
      ;;
  esac
}

need_ops() {
  need terraform gcloud curl python3
  need_login
  need_deployment
}

# Print an answer of ops with its amounts as they came: a float would not hold them.
show() {
  printf '%s' "$answer" | python3 -c '
import json, re, sys
answer = json.loads(sys.stdin.read(), parse_float=lambda text: "\0" + text)
text = json.dumps(answer, indent=4, ensure_ascii=False)
print(re.sub(r"\"\\u0000([^\"]+)\"", r"\1", text))' || die "the answer of ops is no JSON: $answer"
}

ops() { # method, path, [body]
  need_ops
  call_ops "$@"
  show
  case "$answer" in *'"status":"success"'* | *'"status": "success"'*) ;; *) die "ops did not do it: see its reason" ;; esac
}

# A JSON string.
quoted() {
  python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"
}

status() {
  takes 0 1 "status [--json]" "$@"
  case "${1:-}" in
    --json)
      ops GET /
      return
      ;;
    '') ;;
    *) die "usage: ./deploy.sh status [--json]" ;;
  esac
  need_ops
  call_ops GET /status
  printf '%s\n\n' "$answer"
  gcloud scheduler jobs list --location="$region" --project="$project" --format=json | python3 -c '
import json, sys
names = sys.argv[1].split()
rows = [("SCHEDULE", "WHEN", "STATE", "LAST CALL", "ANSWERED")]
for job in json.load(sys.stdin):
    name = job["name"].rsplit("/", 1)[-1]
    if name in names:
        fine = "ok" if not job.get("status", {}).get("code") else "status {code}".format(**job["status"])
        called = job.get("lastAttemptTime", "")
        rows.append((name, job["schedule"], job["state"], called[:19] or "never", fine if called else ""))
for row in rows:
    print("{:22} {:14} {:9} {:20} {}".format(*row).rstrip())' "$(for job in $jobs; do printf '%s%s ' "$function_prefix" "$(kebab "$job")"; done)"
}

report() {
  takes 0 1 "report [file]" "$@"
  need_ops
  local file=${1:-report-$bot.html}
  call_ops GET /report
  printf '%s\n' "$answer" >"$file"
  printf 'Saved: %s\n' "$file"
}

pause() {
  takes 1 2 "pause <reason> [until]" "$@"
  [ -n "$1" ] || die "usage: ./deploy.sh pause <reason> [until]"
  need python3
  local until=""
  [ $# -eq 1 ] || until=", \"until\": $(quoted "$2")"
  ops POST / "{\"command\": \"pause\", \"reason\": $(quoted "$1")$until}"
}

resume() {
  takes 0 0 resume "$@"
  ops POST / '{"command": "resume"}'
}

confirm() {
  takes 0 1 "confirm [hash]" "$@"
  need python3
  ops POST / "{\"command\": \"confirm\"${1:+, \"hash\": $(quoted "$1")}}"
}

tell() {
  takes 1 1 "tell <json>" "$@"
  need python3
  python3 -c 'import json, sys; sys.exit(not isinstance(json.loads(sys.argv[1]), dict))' "$1" 2>/dev/null || die "not a JSON object: $1"
  ops POST / "$1"
}

restore() {
  local usage="restore [journal|exchange [confirm]]"
  takes 0 2 "$usage" "$@"
  [[ "${1:-journal} ${2-0}" =~ ^(journal|exchange)\ [0-9a-f]+$ ]] || die "usage: ./deploy.sh $usage"
  ops POST / "{\"command\": \"restore\"${1:+, \"source\": \"$1\"}${2:+, \"confirm\": \"$2\"}}"
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

is_time() { # not the complaint of gcloud
  case "$1" in 2[0-9][0-9][0-9]-*) ;; *) return 1 ;; esac
}

lacks() { # text, words
  local word text=$1
  shift
  for word in "$@"; do
    case "$text" in *"$word"*) return 1 ;; *) ;; esac
  done
}

verify() {
  takes 0 0 verify "$@"
  need_ops
  need_project_permissions cloudfunctions.functions.get cloudscheduler.jobs.get compute.addresses.list \
    compute.routers.get redis.instances.get run.services.get run.services.getIamPolicy
  need_identity

  verify_functions
  verify_schedules
  verify_egress
  verify_redis
  verify_callers
  verify_inside
  [ "$failed" -eq 0 ] || die "$failed of the checks failed"
  printf 'All is well.\n'
}

# What gcloud tells of something, or its complaint.
told() { # command, then the thing and its flags
  gcloud "$@" --project="$project" 2>&1 || true
}

verify_functions() {
  local job name state members switch
  for job in $functions; do
    name="$function_prefix$(kebab "$job")"
    state=$(told functions describe "$name" --v2 --region="$region" --format='value(state)')
    check "function $name is deployed" "$state" is "$state" ACTIVE
    # Were the platform not to check callers, anybody could forge a token that looks checked.
    members=$(told run services get-iam-policy "$name" --region="$region" --format='value(bindings.members)')
    check "function $name is closed to strangers" "$members" lacks "$members" allUsers allAuthenticatedUsers ERROR
    switch=$(told run services describe "$name" --region="$region" --format=json | python3 -c '
import json, sys
text = sys.stdin.read()
try:
    annotations = json.loads(text)["metadata"].get("annotations", {})
except (ValueError, KeyError, TypeError):
    sys.exit(print(text) or 0)
print(annotations.get("run.googleapis.com/invoker-iam-disabled", "false"))')
    check "function $name has the platform check its callers" "invoker-iam-disabled: $switch" is "$switch" false
  done
}

verify_schedules() {
  local job name state attempt status
  for job in $jobs; do
    name="$function_prefix$(kebab "$job")"
    state=$(told scheduler jobs describe "$name" --location="$region" --format='value(state)')
    if is_one_of "$job" "$paused"; then
      check "schedule $name is paused, as jobs_paused says" "$state" is "$state" PAUSED
      continue
    fi
    check "schedule $name is enabled" "$state" is "$state" ENABLED
    attempt=$(told scheduler jobs describe "$name" --location="$region" --format='value(lastAttemptTime)')
    status=$(told scheduler jobs describe "$name" --location="$region" --format='value(status.code)')
    check "schedule $name has fired" "${attempt:-never}" is_time "$attempt"
    check "schedule $name was answered with success" "status $status" is "${status:-0}" 0
  done
}

verify_egress() {
  local link nat
  link=$(told compute addresses list --filter="address=$egress_address" --format='value(selfLink)')
  nat=$(told compute routers nats describe "${prefix}qrl-bot" --router="${prefix}qrl-bot" --region="$region" \
    --format='value[separator=" "](natIpAllocateOption,natIps)')
  check "the exchange sees $egress_address and nothing else" "NAT: $nat" is "$nat" "MANUAL_ONLY $link"
}

verify_redis() {
  local found
  found=$(told redis instances describe "${prefix}qrl-bot" --region="$region" \
    --format='value[separator=" "](state,authEnabled,transitEncryptionMode,persistenceConfig.persistenceMode,redisConfigs.maxmemory-policy)')
  check "Redis is up, encrypted, with a password and snapshots, and never evicts" "$found" \
    is "$found" "READY True SERVER_AUTHENTICATION RDB noeviction"
}

# A token made by hand, whose signature reads as if the platform had checked it.
verify_callers() {
  local forged
  forged=$(python3 -c '
import base64, json, sys, time
def part(value): return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
email, audience = sys.argv[1:]
claims = {"iss": "https://accounts.google.com", "aud": audience, "email": email, "email_verified": True, "exp": int(time.time()) + 3600}
print(".".join([part({"alg": "RS256", "kid": "forged", "typ": "JWT"}), part(claims), "SIGNATURE_REMOVED_BY_GOOGLE"]))' "$account" "$audience")
  call "$forged" "$forged" GET /price
  check "a forged token is turned away before ops" "answered $code" refused
  call "$token" "$forged" GET /price
  check "a forged token is turned away by ops itself" "answered $code" refused
  printf 'look  this was a caller refused: the alert of that name has to reach you, once an hour at most\n'
}

refused() {
  [ "$code" = 401 ] || [ "$code" = 403 ]
}

verify_inside() {
  call "$token" "$token" GET /verify
  if [ "$code" != 200 ]; then
    check "ops gives its report" "answered $code: $answer" false
    return
  fi
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

while [ $# -gt 0 ]; do
  case "$1" in
    --env | --bot)
      [ $# -ge 2 ] || die "usage: ./deploy.sh $1 NAME <command>"
      if [ "$1" = --env ]; then environment=$2 && use_environment; else bot=$2; fi
      shift 2
      ;;
    *) break ;;
  esac
done
command=${1:-}
[ $# -eq 0 ] || shift
case "$command" in
  stage | apply | secrets | run | logs | status | report | pause | resume | confirm | tell | verify | restore | destroy) "$command" "$@" ;;
  plan) provision plan "$@" ;;
  '' | help | -h | --help) usage ;;
  *)
    usage >&2
    die "no such command: $command"
    ;;
esac
