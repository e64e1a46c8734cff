"""The calls of huggingface_hub that make an endpoint of a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from .bundle import BUNDLED
from .selected import Selected
from .settings import Settings

MAX_NAME = 32


@dataclass(frozen=True)
class Call:
    """One call of huggingface_hub's HfApi. As text it shows no secret."""

    method: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        shown = {name: _shown(name, value) for name, value in self.arguments.items()}
        return f"{self.method}({', '.join(f'{name}={value}' for name, value in shown.items())})"

    def run(self, api: HfApi) -> Any:
        return getattr(api, self.method)(**self.arguments)


@dataclass(frozen=True)
class Deployment:
    """A bundle on its way to be the endpoint `name` of `namespace`, from a repository of the same name."""

    settings: Settings
    selected: Selected
    bundle: Path

    @property
    def name(self) -> str:
        if self.settings.name:
            return self.settings.name
        words = "".join(letter if letter.isalnum() else "-" for letter in self.selected.name.lower())
        end = self.selected.digest and f"-{self.selected.digest}"
        return f"triptych-{words}"[: MAX_NAME - len(end)].rstrip("-") + end

    @property
    def repository(self) -> str:
        return f"{self.settings.namespace}/{self.name}"

    @property
    def page(self) -> str:
        """Where a person sees the endpoint and its log."""
        return f"https://endpoints.huggingface.co/{self.settings.namespace}/endpoints/{self.name}"

    def exists(self) -> Call:
        """Look whether the repository is there."""
        return Call("repo_exists", {"repo_id": self.repository})

    def files(self) -> Call:
        """Look what is in it."""
        return Call("list_repo_files", {"repo_id": self.repository})

    def push(self) -> list[Call]:
        """Have the repository, with the bundle's files and no others."""
        create = {"repo_id": self.repository, "private": self.settings.private, "exist_ok": True}
        upload = {
            "repo_id": self.repository,
            "folder_path": str(self.bundle),
            "delete_patterns": ["*"],
            "commit_message": f"Triptych: {self.selected.name}",
        }
        return [Call("create_repo", create), Call("upload_folder", upload)]

    def find(self) -> Call:
        """Look whether the endpoint is there."""
        return Call("get_inference_endpoint", {"name": self.name, "namespace": self.settings.namespace})

    def create(self, commit: str) -> Call:
        """Make it, for those alone who have a token of its namespace."""
        place = {"vendor": self.settings.vendor, "region": self.settings.region, "type": "authenticated"}
        return Call("create_inference_endpoint", self._described(commit) | place)

    def update(self, commit: str) -> Call:
        """Have it run this commit; it stays with its own otherwise. What else was set of it is left alone."""
        return Call("update_inference_endpoint", self._described(commit))

    def resume(self) -> Call:
        """Have it run again after it was paused."""
        return Call("resume_inference_endpoint", {"name": self.name, "namespace": self.settings.namespace})

    def is_ours(self, api: HfApi) -> bool:
        """Whether the repository is not there yet, or is empty, or holds a bundle."""
        if not self.exists().run(api):
            return True
        names = set(self.files().run(api)) - {".gitattributes"}
        return not names or BUNDLED in names

    def _described(self, commit: str) -> dict[str, Any]:
        token = self.settings.weights_token
        secrets = {"secrets": {"HF_TOKEN": token.get_secret_value()}} if token else {}
        return {
            "name": self.name,
            "namespace": self.settings.namespace,
            "repository": self.repository,
            "revision": commit,
            "framework": "custom",
            "task": "custom",
            "accelerator": self.settings.accelerator,
            "instance_type": self.settings.instance_type,
            "instance_size": self.settings.instance_size,
            "min_replica": 0,
            "max_replica": 1,
            "scale_to_zero_timeout": self.settings.scale_to_zero_minutes,
            **secrets,
        }


def _shown(name: str, value: Any) -> str:
    return repr(dict.fromkeys(value, "…")) if name == "secrets" else repr(value)
