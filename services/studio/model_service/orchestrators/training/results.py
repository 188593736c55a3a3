"""Turning an upload into a model: verified, exactly once, by the current attempt only."""

import asyncpg

from studio.contract.model_service import TrainingResult, TrainingState
from studio.model_service import queue
from studio.model_service.items import Item
from studio.model_service.orchestrators import garbage, history, keys, registry
from studio.model_service.orchestrators.http import Refused
from studio.model_service.orchestrators.registry import Assistant
from studio.model_service.orchestrators.training.retention import prune_models
from studio.storage.port import ObjectMissing, ObjectStore

# A store that does not verify digests itself is read back, up to so many bytes.
MAX_MODEL = 4 * 1024**3


def check_current(item: Item, attempt: int) -> None:
    """Refuse, with 409, whoever is not the attempt that counts now."""
    if item.state != TrainingState.RUNNING:
        raise Refused(409, f"the training {item.id} is {item.state}, not Running: nothing is accepted for it")
    if item.attempt != attempt:
        raise Refused(409, f"attempt {attempt} of {item.id} was replaced by attempt {item.attempt}")
    if item.stop_requested:
        raise Refused(409, f"the training {item.id} is being stopped ({item.stop_reason})")


async def accept_result(
    pool: asyncpg.Pool, store: ObjectStore, item_id: str, attempt: int, result: TrainingResult
) -> None:
    """Make the model of a training from what its attempt has stored; doing it again is a no-op.

    Raises Refused: 404 unknown training, 409 not the current attempt, 422 the stored object is not what was announced.
    """
    async with pool.acquire() as conn:
        item = await _item(conn, item_id)
        if await _done(conn, item, result):
            return
    check_current(item, attempt)
    key = keys.model(item, attempt)
    await _verify(store, key, result)
    async with pool.acquire() as conn, conn.transaction():
        assistant = await registry.assistant(conn, item.uid, lock=True)
        current = await queue.lock(conn, item_id)
        if current is None or assistant is None:
            raise Refused(404, f"there is no training {item_id}")
        if await _done(conn, current, result):
            return
        check_current(current, attempt)
        if assistant.removing:
            raise Refused(409, f"the assistant {item.assistant} is being removed")
        if not await garbage.adopt(conn, key):
            raise Refused(409, "the upload is too old: ask for a new ticket and upload again")
        await _insert(conn, assistant, current, key, result)
        # The log is there unless its upload failed, which loses no model.
        log_key = keys.engine_log(current, attempt)
        await garbage.adopt(conn, log_key)
        desired = assistant.desired_training()
        await prune_models(conn, assistant, keep=desired.keep_models if desired else 10)
        await history.prune(conn, item.uid, "training", keep=desired.keep_trainings if desired else 20)
        # Its consumer need not wait for the end of the pod either.
        await queue.notify(
            conn, (queue.CHANGES_CHANNEL, f"model:{item.assistant}"), (queue.ITEM_CHANNEL, item.id)
        )  # fmt: skip


async def _insert(conn: asyncpg.Connection, assistant: Assistant, item: Item, key: str, result: TrainingResult) -> None:
    parent = await _parent(conn, assistant)
    version = await registry.next_number(conn, item.uid, "next_model")
    await conn.execute(
        """insert into models (uid, version, fingerprint, sha256, size, members, object_key, engine_image, training,
                               seconds, parent)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)""",
        item.uid, version, item.fingerprint, result.model.sha256, result.model.size, result.members, key,
        item.spec["engine"]["image"], item.id, result.seconds, parent,
    )  # fmt: skip
    if item.log_key is not None:
        await garbage.doom(conn, item.log_key)
    await queue.set_facts(conn, item, model_version=version, log_key=keys.engine_log(item, item.attempt))


async def _parent(conn: asyncpg.Connection, assistant: Assistant) -> int | None:
    """The version that answers, else the newest one: what the new model is to be compared with."""
    version: int | None = await conn.fetchval(
        """select coalesce((select model_version from items where id = $2),
                           (select max(version) from models where uid = $1))""",
        assistant.uid, assistant.serving,
    )  # fmt: skip
    return version


async def _item(conn: asyncpg.Connection, item_id: str) -> Item:
    item = await queue.find(conn, item_id, "training")
    if item is None:
        raise Refused(404, f"there is no training {item_id}")
    return item


async def _done(conn: asyncpg.Connection, item: Item, result: TrainingResult) -> bool:
    """Whether this result was accepted before; a different one for the same fingerprint is refused."""
    model = await registry.model_of(conn, item.uid, item.fingerprint)
    if model is None:
        return False
    if model.training == item.id and model.sha256 == result.model.sha256:
        return True
    raise Refused(409, f"the content of {item.id} has a model already: version {model.version}")


async def _verify(store: ObjectStore, key: str, result: TrainingResult) -> None:
    facts = await store.head(key)
    if facts is None:
        raise Refused(422, "model: nothing was uploaded; upload it before posting the result")
    if facts.size != result.model.size:
        raise Refused(422, f"model.size: {facts.size} bytes are stored, {result.model.size} were announced")
    if facts.size > MAX_MODEL:
        raise Refused(422, f"model.size: at most {MAX_MODEL} bytes are accepted")
    try:
        sha256 = facts.sha256 or await store.digest(key, limit=MAX_MODEL)
    except ObjectMissing:
        raise Refused(422, "model: the upload was deleted; upload it again") from None
    if sha256 != result.model.sha256:
        raise Refused(422, f"model.sha256: {sha256} is stored, {result.model.sha256} was announced")
