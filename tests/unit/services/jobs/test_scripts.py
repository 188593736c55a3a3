"""The shell lines, run by a real sh with a `rasa` of our own."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from studio.model_service.jobs import scripts


def _run(tmp_path: Path, script: str, rasa: str) -> subprocess.Popen[str]:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "rasa").write_text(f"#!/bin/sh\n{rasa}\n")
    (programs / "rasa").chmod(0o755)
    (tmp_path / "work").mkdir()
    text = script.replace(scripts.RUN_FOLDER, str(tmp_path / "run")).replace("/work", str(tmp_path / "work"))
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path / "tmp/home"),
        "MPLCONFIGDIR": str(tmp_path / "tmp/mpl"),
        "TMPDIR": str(tmp_path / "tmp/tmp"),
        "ENGINE_PORT": "5005",
        "OUT": str(tmp_path / "work/model"),
    }
    return subprocess.Popen(
        ["/bin/sh", "-c", text], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.parametrize("code", [0, 1, 3, 137])
def test_train_keeps_the_exit_code_and_the_log(tmp_path: Path, code: int) -> None:
    rasa = f'echo "$@"; echo oops >&2; mkdir -p $OUT; : > $OUT/model.tar.gz; exit {code}'
    process = _run(tmp_path, scripts.TRAIN, rasa)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == code
    assert output == (tmp_path / "work/train.log").read_text()
    assert output.startswith("train --config")
    assert "oops" in output
    assert int((tmp_path / "work/started").read_text()) <= int((tmp_path / "work/finished").read_text())


def test_a_bar_is_told_while_it_grows(tmp_path: Path) -> None:
    rasa = r"""printf '\rEpochs: 10%%' ; printf '\rEpochs: 20%%'; while [ ! -f $OUT.go ]; do sleep 0.01; done"""
    process = _run(tmp_path, scripts.TRAIN, rasa)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["\n", "Epochs: 10%\n"]
    (tmp_path / "work/model.go").touch()
    process.communicate(timeout=20)


def test_train_without_a_model_is_a_failure(tmp_path: Path) -> None:
    process = _run(tmp_path, scripts.TRAIN, "exit 0")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "wrote no model" in output


def test_train_without_an_engine(tmp_path: Path) -> None:
    process = _run(tmp_path, scripts.TRAIN.replace("rasa train", "no-such-engine train"), "exit 0")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 127
    assert "not found" in output


@pytest.mark.parametrize(
    ("own", "of_the_image", "expected"),
    [(True, True, "run/warm-models/abc.tar.gz"), (False, True, "image.tar.gz"), (False, False, "tmp/tmp/no-model")],
)
def test_a_warm_engine_starts_with_what_there_is(tmp_path: Path, own: bool, of_the_image: bool, expected: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/token").write_text("s3cret")
    if own:
        (tmp_path / "run/warm-model-name").write_text("abc.tar.gz")
    if of_the_image:
        (tmp_path / "image.tar.gz").touch()
    script = scripts.RUN_WARM.replace(scripts.IMAGE_MODEL, str(tmp_path / "image.tar.gz"))
    process = _run(tmp_path, script, 'for last; do :; done; echo "$last"')
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert output == f"{tmp_path}/{expected}\n"
    assert of_the_image or own or list((tmp_path / "tmp/tmp/no-model").iterdir()) == []


# One in 64 random tokens begins like an option: as an argument of its own, the engine's argparse would refuse it.
@pytest.mark.parametrize("token", ["s3cret", "-s3cret"])
def test_run_becomes_the_engine(tmp_path: Path, token: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/token").write_text(token)
    (tmp_path / "run/model-name").write_text("abc.tar.gz")
    process = _run(tmp_path, scripts.RUN, 'echo "$@"; trap "exit 42" TERM; echo up; while :; do sleep 0.01; done')
    assert process.stdout is not None
    arguments = process.stdout.readline()
    assert f"--auth-token={token}" in arguments.split()
    assert arguments.strip().endswith("run/models/abc.tar.gz")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 20
    assert process.wait(timeout=deadline - time.monotonic()) == 42
    process.stdout.close()
