import pytest

from keras_depth.bag import __main__ as bag_command
from tests.bag import world


@pytest.fixture(scope="session")
def network(tmp_path_factory):
    return world.write_network(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="session")
def estimator(network):
    from keras_depth import DepthEstimator

    return DepthEstimator.load(network)


@pytest.fixture
def run(network, estimator, tmp_path, monkeypatch, capsys):
    """Runs `keras-depth bag NETWORK ...` in an empty folder; returns code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def load(name, full_size, *camera):
        assert name == str(network)
        return lambda picture: estimator(picture, resize=full_size)

    monkeypatch.setattr(bag_command, "load", load)

    def run(*arguments, network=network):
        code = world.run(network, *arguments)
        return code, *capsys.readouterr()

    return run
