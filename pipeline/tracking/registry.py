"""A registered scorer by its alias: which version that is now, and its folder."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.artifact import MANIFEST
from pipeline.errors import ConfigError, ScorerError
from pipeline.tracking.session import at, is_installed

_ADDRESS = re.compile(r"models:/([^/@]+)@([\w.-]+)")
_WHAT = "the registered scorer can't be reached"
_DO = "check MLFLOW_TRACKING_URI, the model's name and its alias"


def parse_address(text: str) -> tuple[str, str]:
    """Name and alias of `models:/NAME@ALIAS`.

    Raises
    ------
    ConfigError
        Anything else, or MLflow isn't installed.
    """
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise ConfigError("not a registered scorer", where="--scorer", got=text, do="write models:/NAME@ALIAS")
    if not is_installed():
        do = "pip install 'triage-tickets[tracking]'"
        raise ConfigError("a registered scorer needs the extra `tracking`", where="--scorer", got=text, do=do)
    return found[1], found[2]


def version_of(uri: str, name: str, alias: str) -> str:
    """The version that an alias names now.

    Raises
    ------
    OutputError
        The store can't be reached, or has no such name or alias.
    """
    with at(uri, what=_WHAT, do=_DO):
        from mlflow import MlflowClient

        return str(MlflowClient().get_model_version_by_alias(name, alias).version)


def fetch(uri: str, name: str, version: str, into: Path) -> Path:
    """The scorer's folder of a version, below `into`.

    Raises
    ------
    OutputError
        The store can't be reached, or has no such version.
    ScorerError
        The model holds no scorer.
    """
    with at(uri, what=_WHAT, do=_DO):
        from mlflow import artifacts

        top = Path(artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(into)))
    manifest = next((path for path in sorted(top.rglob(MANIFEST))), None)
    if manifest is None:
        do = "register what `triage run` tracked"
        raise ScorerError("the registered model holds no scorer", where=f"{name}, version {version}", do=do)
    return manifest.parent
