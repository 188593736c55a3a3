"""Measures the model service; writes bench/results/model-service.json.

All parts run on the cluster at hand but `claims`, which starts an API server and a PostgreSQL of its own on loopback.
"""

import sys
from collections import Counter
from collections.abc import Sequence

from measuring import command, goals, model_claims, model_queue, model_requests, model_rest, model_swaps, model_warm
from measuring.figures import percentile, spread
from measuring.results import FOLDER, Circumstances, Result, judge

from cluster.errors import ClusterError

FILE = FOLDER / "model-service.json"
COMMAND = "make bench-model-service"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts, write the file. Returns the exit code: 1 when a goal was missed."""
    chosen = command.parser(__doc__, PARTS).parse_args(arguments).parts
    return command.measure(PARTS, chosen, command.circumstances(COMMAND), file=FILE, order=goals.MODEL_SERVICE)


def _swaps(where: Circumstances) -> list[Result]:
    seen = model_swaps.swaps(command.cluster_at_hand())
    talk, failures = seen.talk, seen.talk.failures
    detail = (
        f"{len(failures)} failed and {talk.lost} lost of {talk.sent}, half over new connections, half over kept ones; "
        f"answers took p50 {percentile(talk.seconds, 0.5):.2f} s, longest {max(talk.seconds):.2f} s"
    )
    told = "".join(f"; {times} {what}" for what, times in Counter(failures).most_common())
    return [
        judge(goals.SWAP_FAILURES, len(failures) + talk.lost, where, spread=detail + told),
        judge(goals.SWAP_FIRST_ANSWER, percentile(seen.activations, 0.95), where, spread=spread(seen.activations)),
    ]


def _requests(where: Circumstances) -> list[Result]:
    seen = model_requests.answered(command.cluster_at_hand())
    jobs = [seconds * 1000 for seconds in seen.to_job]
    what = "queued, running and cancelled, each from the database's clock to the watch"
    return [
        judge(goals.STATUS_DELAY, percentile(seen.to_status, 0.95), where, spread=f"{spread(seen.to_status)}; {what}"),
        judge(goals.JOB_DELAY, percentile(jobs, 0.99), where, spread=spread(jobs)),
    ]


def _starts(where: Circumstances) -> list[Result]:
    seen = model_requests.starts(command.cluster_at_hand())
    ratio = percentile(seen.ours, 0.5) / percentile(seen.bare, 0.5)
    detail = f"medians of rounds in turn; training {spread(seen.ours)} s; bare Job {spread(seen.bare)} s"
    return [judge(goals.START_RATIO, ratio, where, spread=detail)]


def _rest(where: Circumstances) -> list[Result]:
    seen = model_rest.rest(command.cluster_at_hand())
    return [
        judge(goals.REST_MEMORY, max(seen.memory), where, spread=spread(seen.memory)),
        judge(goals.REST_CPU, max(seen.cpu), where, spread=spread(seen.cpu)),
    ]


def _queue(where: Circumstances) -> list[Result]:
    seen = model_queue.line(command.cluster_at_hand())
    detail = (
        f"answered within {seen.seconds:.1f} s; the first {seen.trained} were really trained, the others cancelled then"
    )
    return [
        judge(goals.QUEUE_REFUSED, len(seen.refused), where, spread="; ".join([detail, *seen.refused[:3]])),
        judge(goals.QUEUE_OVERTAKEN, len(seen.overtaken), where, spread="; ".join(seen.overtaken[:3])),
        judge(
            goals.QUEUE_MISPLACED,
            len(seen.misplaced),
            where,
            spread="; ".join([f"all positions at {seen.looks} moments", *seen.misplaced[:3]]),
        ),
    ]


def _claims(where: Circumstances) -> list[Result]:
    seen = model_claims.claims()
    detail = (
        f"{len(seen.jobs)} of {seen.asked} trainings, {seen.consumers} consumers; each was cancelled once it had a Job"
    )
    most = f"at most {seen.most_present} Jobs there, {seen.most_running} trainings Running by the audit"
    return [
        judge(goals.CLAIM_RATE, seen.per_second, where, spread=detail),
        judge(goals.CLAIM_DOUBLES, len(seen.doubled) + seen.beyond, where, spread="; ".join([most, *seen.doubled[:3]])),
    ]


def _warm(where: Circumstances) -> list[Result]:
    seen = model_warm.firsts(command.cluster_at_hand())
    warm, cold = percentile(seen.warm, 0.95), percentile(seen.cold, 0.95)
    content = f"{model_warm.EXAMPLES} examples of each intent, which train for some 20 s"
    told = f"{spread(seen.warm)}; {seen.really_warm} of {len(seen.warm)} engines were warm; {content}"
    failures = seen.talk.failures
    talked = "; ".join([f"{len(failures)} failed and {seen.talk.lost} lost of {seen.talk.sent}", *failures[:3]])
    return [
        judge(goals.WARM_FIRST_ANSWER, warm, where, spread=told),
        judge(goals.WARM_RATIO, cold / warm, where, spread=f"cold {spread(seen.cold)} s"),
        judge(goals.WARM_FAILURES, len(failures) + seen.talk.lost, where, spread=talked),
    ]


def _diet(where: Circumstances) -> list[Result]:
    return [_compared(goals.DIET_RATIO, model_warm.of_tensorflow(command.cluster_at_hand()), where)]


def _new(where: Circumstances) -> list[Result]:
    return [_compared(goals.NEW_RATIO, model_warm.new_assistants(command.cluster_at_hand()), where)]


def _compared(goal: goals.Goal, seen: model_warm.Compared, where: Circumstances) -> Result:
    ratio = percentile(seen.ours, 0.5) / percentile(seen.bare, 0.5)
    detail = f"medians of rounds in turn; ours {spread(seen.ours)} s; bare {spread(seen.bare)} s"
    return judge(goal, ratio, where, spread=detail)


PARTS: dict[str, command.Part] = {
    "swaps": _swaps,
    "requests": _requests,
    "starts": _starts,
    "queue": _queue,
    "rest": _rest,
    "claims": _claims,
    "warm": _warm,
    "diet": _diet,
    "new": _new,
}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
