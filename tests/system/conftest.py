"""What the tests of whole programs share."""
import pytest


@pytest.fixture(scope='module')
def decoy():
    """A daemon of the module's own, and its client."""
    from running import Running  # not by the tests that need no daemon
    running = Running(ASAN_OPTIONS='detect_leaks=0')  # several ranks: Open MPI leaves much behind, from plugins that are gone
    yield running
    running.close()


@pytest.fixture
def daemon():
    """A decoyd with fake workers."""
    from protocol import Daemon
    daemon = Daemon()
    yield daemon
    daemon.close()


@pytest.fixture
def impatient():
    """The same, which gives a job a second to stop."""
    from protocol import Daemon
    daemon = Daemon(grace=1)
    yield daemon
    daemon.close()
