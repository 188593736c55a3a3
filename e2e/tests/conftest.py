"""Fixtures of the end-to-end suite: cluster, namespaces, assistants, browser and terminal; a diagnosis on failure."""

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ClusterError
from cluster.paths import Paths
from stage.kubectl import Kubectl
from studio_e2e import assistants, browser, database, diagnosis, entry, manifests
from studio_e2e.assistants import Assistant, Porter
from studio_e2e.browser import Windows
from studio_e2e.command_line import Terminal
from studio_e2e.control_plane import ControlPlane
from studio_e2e.database import Database
from studio_e2e.faults import OPERATOR, OPERATOR_NAMESPACE
from studio_e2e.space import Space, Spaces, keeping
from studio_e2e.turnstile import Turnstile

Manifest = dict[str, Any]

# The longest scenario is a first apply with a killed operator on two busy cores.
SECONDS_PER_TEST = 420
# Two processes share the files of tests: the longest come first, so that both are done at about the same time.
ORDER = (
    "test_survival",
    "test_journey",
    "test_control_plane",
    "test_install_helm",
    "test_install_namespaced",
    "test_warming",
    "test_first_chat",
    "test_every_write",
    "test_change",
    "test_on_demand",
    "test_origin",
    "test_training",
)
_SPACES = pytest.StashKey[Spaces]()
_WINDOWS = pytest.StashKey[Windows]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS_PER_TEST))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Tests of several processes share the cluster; a test that damages what all of them stand on has it alone."""
    turnstile = Turnstile(Paths.from_environment().cache)
    with turnstile.alone() if item.get_closest_marker("alone") else turnstile.among_others():
        return (yield)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Put what the cluster looked like into the report of a failed test, before its namespaces go."""
    outcome = yield
    report, spaces = outcome.get_result(), item.config.stash.get(_SPACES, None)
    if report.failed and spaces is not None:
        report.sections += [(f"namespace {space.name}", diagnosis.report(space)) for space in spaces.in_use]
    if report.failed and (opened := item.stash.get(_WINDOWS, None)):
        report.sections += opened.report(item.name)


@pytest.fixture(scope="session")
def kubectl() -> Kubectl:
    """The cluster of KUBECONFIG, else the local one; with the CRDs on it."""
    try:
        found = Kubectl.find()
        found.run("get", "assistants,studios", "--all-namespaces", "--request-timeout=10s")
    except ClusterError as error:
        pytest.exit(f"The suite needs a cluster with the operator on it (`make up` makes one): {error}", returncode=3)
    return found


@pytest.fixture(scope="session")
def operator(kubectl: Kubectl) -> None:
    """An operator that is ready."""
    wait = ("wait", "--for=condition=Available", f"deployment/{OPERATOR}", "--timeout=60s")
    kubectl.run("-n", OPERATOR_NAMESPACE, *wait)


@pytest.fixture(scope="session")
def spaces(kubectl: Kubectl, pytestconfig: pytest.Config) -> Iterator[Spaces]:
    """Makes and drops namespaces."""
    made = Spaces(kubectl)
    pytestconfig.stash[_SPACES] = made
    yield made
    made.close()


@pytest.fixture
def space(operator: None, spaces: Spaces, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace of this test alone."""
    made = spaces.make(short_name(request))
    yield made
    spaces.drop(made)


@pytest.fixture(scope="session")
def shared(operator: None, spaces: Spaces) -> Space:
    """A namespace with a Studio for all tests that leave a Studio as they found it."""
    made = spaces.make("shared")
    made.apply(manifests.small_studio(publicUrl=entry.free_origin()))
    return made


@pytest.fixture
def studio(shared: Space) -> Space:
    """The shared namespace, once its Studio is Ready: whatever the test before has done to it."""
    assistants.wait_studio_ready(shared)
    return shared


@pytest.fixture(scope="session")
def _address(shared: Space) -> Iterator[str]:
    assistants.wait_studio_ready(shared)
    with entry.forwarded(shared) as url:
        yield url


@pytest.fixture
def origin(studio: Space, _address: str) -> str:
    """The shared Studio's public address, reachable from this machine."""
    entry.wait_answers(_address)
    return _address


@pytest.fixture
def windows(request: pytest.FixtureRequest) -> Iterator[Windows]:
    """Windows of a real browser; what they showed is in the report of a failed test."""
    with browser.browsing() as opened:
        request.node.stash[_WINDOWS] = opened
        yield opened


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A shell in which nobody has signed in."""
    return Terminal(tmp_path)


@pytest.fixture
def assistant(studio: Space, request: pytest.FixtureRequest) -> Iterator[Assistant]:
    """An Assistant in the shared Studio, named after the test, not applied yet; gone without a trace at the end."""
    made = Assistant(studio, short_name(request))
    yield made
    if not keeping():
        made.delete()


@pytest.fixture
def rows(kubectl: Kubectl, studio: Space) -> Iterator[Database]:
    """The database of the shared Studio. Skips the test where pods are not on this machine."""
    ControlPlane.at_hand(kubectl.kubeconfig)
    with database.opened(studio) as opened:
        yield opened


def _rank(item: pytest.Item) -> int:
    return ORDER.index(item.path.stem) if item.path.stem in ORDER else len(ORDER)


def short_name(request: pytest.FixtureRequest) -> str:
    """A name for objects, from that of the test; it leaves room for the children's suffixes."""
    words = request.node.originalname.removeprefix("test_").replace("_", "-")
    return str(words[:24]).strip("-")


@pytest.fixture
def porter(studio: Space) -> Porter:
    """A Ready assistant with the words of an earlier test perhaps: another model for each test would take long."""
    porter = Porter(studio, "porter")
    porter.make_ready()
    return porter
