"""The shell lines that start the engine, and the files that they and the helpers share.

POSIX `sh`, `cat`, `date`, `mkdir`, `sleep` and `tee` are all they need of an engine image, besides `rasa`.
With `stdbuf` and `tr` of the coreutils, progress bars are told while they grow.
"""

WORK = "/work"
CONTENT = f"{WORK}/content"
CONFIG_FILE = f"{CONTENT}/config.yml"
DOMAIN_FOLDER = f"{CONTENT}/domain"
DATA_FOLDER = f"{CONTENT}/data"
MODEL_FOLDER = f"{WORK}/model"
MODEL_FILE = f"{MODEL_FOLDER}/model.tar.gz"
TRAIN_LOG = f"{WORK}/train.log"
STARTED_FILE = f"{WORK}/started"
FINISHED_FILE = f"{WORK}/finished"

RUN_FOLDER = "/run/engine"
TOKEN_FILE = f"{RUN_FOLDER}/token"
ENDPOINTS_FILE = f"{RUN_FOLDER}/endpoints.yml"
CREDENTIALS_FILE = f"{RUN_FOLDER}/credentials.yml"
CA_FILE = f"{RUN_FOLDER}/database-ca.pem"
EVENTS_CA_FILE = f"{RUN_FOLDER}/events-ca.pem"
EVENTS_CERTIFICATE_FILE = f"{RUN_FOLDER}/events-certificate.pem"
EVENTS_KEY_FILE = f"{RUN_FOLDER}/events-key.pem"
MODEL_NAME_FILE = f"{RUN_FOLDER}/model-name"
# What a warm engine loads until its own model is there: in this folder, or the tiny model of the engine's image.
WARM_NAME_FILE = f"{RUN_FOLDER}/warm-model-name"
WARM_MODELS = f"{RUN_FOLDER}/warm-models"
IMAGE_MODEL = "/usr/local/share/studio-operator/warm-model.tar.gz"
RUN_MODELS = f"{RUN_FOLDER}/models"
# Where the Secret with the channels of an assistant is mounted into the helper.
CHANNELS_FOLDER = "/etc/studio/channels"
CHANNELS_KEY = "credentials.yml"
CHANNELS_FILE = f"{CHANNELS_FOLDER}/{CHANNELS_KEY}"

# A bar is written over itself with carriage returns, and container runtimes pass on whole lines: without line ends of
# its own, an engine that trains would look as if it did nothing.
# The exit code of the engine is kept through the pipe; a shell without `pipefail` would report that of tee.
TRAIN = f"""\
set -u
mkdir -p "$HOME" "$MPLCONFIGDIR" "$TMPDIR"
as_lines() {{ if command -v stdbuf > /dev/null 2>&1; then stdbuf -o0 tr '\\r' '\\n'; else cat; fi; }}
date +%s > {STARTED_FILE}
{{
  rasa train --config {CONFIG_FILE} --domain {DOMAIN_FOLDER} --data {DATA_FOLDER} \\
    --out {MODEL_FOLDER} --fixed-model-name model
  echo $? > {WORK}/exit-code
}} 2>&1 | as_lines | tee {TRAIN_LOG}
date +%s > {FINISHED_FILE}
code=$(cat {WORK}/exit-code 2>/dev/null || echo 1)
if [ "$code" -eq 0 ] && [ ! -f {MODEL_FILE} ]; then
  echo "error: the engine ended without an error, yet it wrote no model" | tee -a {TRAIN_LOG}
  code=1
fi
exit "$code"
"""

# exec, so that SIGTERM reaches the engine. The token is read here: neither the pod's spec nor its environment has it.
# It is one argument with its option, for it may begin with a hyphen.
_SERVE = f"""\
exec rasa run --enable-api --port "$ENGINE_PORT" --interface 0.0.0.0 --auth-token="$(cat {TOKEN_FILE})" \\
  --endpoints {ENDPOINTS_FILE} --credentials {CREDENTIALS_FILE} --model"""

RUN = f"""\
set -u
mkdir -p "$HOME" "$MPLCONFIGDIR" "$TMPDIR"
{_SERVE} "{RUN_MODELS}/$(cat {MODEL_NAME_FILE})"
"""

# Any model makes the engine import all that it needs for the next one. With an empty folder it starts without.
RUN_WARM = f"""\
set -u
mkdir -p "$HOME" "$MPLCONFIGDIR" "$TMPDIR" "$TMPDIR/no-model"
if [ -s {WARM_NAME_FILE} ]; then model="{WARM_MODELS}/$(cat {WARM_NAME_FILE})"
elif [ -f {IMAGE_MODEL} ]; then model={IMAGE_MODEL}
else model="$TMPDIR/no-model"
fi
{_SERVE} "$model"
"""
