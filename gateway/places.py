"""Where a stage runs: the addresses of a list, each with its group and its token."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import SecretStr

HUGGING_FACE_DOMAINS = ("huggingface.cloud", "huggingface.co", "hf.space")


@dataclass(frozen=True)
class Place:
    """One address of a stage. Places of one group are equals; a lower group comes before a higher one.

    The two variables are those that an error tells the reader to set.
    """

    stage: str
    url: str
    token: SecretStr | None = None
    group: int = 0
    variable: str = ""
    token_variable: str = ""


@dataclass(frozen=True)
class Named:
    """What the environment says of one stage: of the standard model, or of the one that `suffix` names."""

    stage: str
    url: str = ""
    urls: str = ""
    token: str = ""
    tokens: str = ""
    suffix: str = ""

    def variable(self, kind: str) -> str:
        return f"{self.stage.upper()}_{kind}{self.suffix}"

    @property
    def places(self) -> tuple[Place, ...]:
        """ValueError with a sentence for what cannot be meant."""
        if self.url and self.urls:
            raise ValueError(f"Set {self.variable('URL')} or {self.variable('URLS')}, not both.")
        variable = self.variable("URLS" if self.urls else "URL")
        listed = list(_addresses(variable, self.urls or self.url, several=bool(self.urls)))
        urls = [url for _, url in listed]
        twice = next((url for index, url in enumerate(urls) if url in urls[:index]), None)
        if twice:
            raise ValueError(
                f"{variable} must name each address once; {without_userinfo(twice)} comes twice."
            )
        tokens = self._tokens_of(urls)
        token_variable = self.variable("TOKENS" if len(urls) > 1 else "TOKEN")
        return tuple(
            Place(self.stage, url, SecretStr(token) if token else None, group, variable, token_variable)
            for (group, url), token in zip(listed, tokens, strict=True)
        )

    def _tokens_of(self, urls: Sequence[str]) -> list[str]:
        """One for each address, empty where it has none."""
        if self.token and self.tokens:
            raise ValueError(f"Set {self.variable('TOKEN')} or {self.variable('TOKENS')}, not both.")
        if not self.tokens:
            self._check_one_host(urls)
            return [self.token] * len(urls)
        tokens = [token.strip() for token in re.split("[,;]", self.tokens)]
        if len(tokens) != len(urls):
            raise ValueError(
                f"{self.variable('TOKENS')} must have an entry for each address of {self.variable('URLS')}, "
                f"empty where it needs none; got {len(tokens)} for {len(urls)}."
            )
        return tokens

    def _check_one_host(self, urls: Sequence[str]) -> None:
        hosts = dict.fromkeys(str(urlsplit(url).hostname) for url in urls)
        if self.token and len(hosts) > 1:
            raise ValueError(
                f"{self.variable('TOKEN')} must be for one host, and {self.variable('URLS')} names several: "
                f"{', '.join(hosts)}. Set {self.variable('TOKENS')}, an entry for each address in its order, "
                "empty where it needs none."
            )


def _addresses(variable: str, text: str, several: bool) -> Iterator[tuple[int, str]]:
    """Each address with its group's number."""
    groups = text.split(";") if several else [text]
    for number, group in enumerate(filter(None, map(str.strip, groups))):
        for url in group.split(",") if several else [group]:
            yield number, _address(variable, url.strip(), several)


def _address(variable: str, url: str, several: bool) -> str:
    if _is_address(url):
        return url.rstrip("/")
    must = "http(s)://host[:port][/path] or empty"
    if several:
        must = (
            "http(s)://host[:port][/path] several times, with , between equals and ; before those after them"
        )
    elif "," in url or ";" in url:
        must += f", for several set {variable.replace('_URL', '_URLS')}"
    raise ValueError(f"{variable} must be {must}; got {url.rpartition('@')[2]!r}.")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    plain = not (parts.query or parts.fragment) and not any(character.isspace() for character in url)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_sound and plain


def is_hugging_face(url: str) -> bool:
    """Whether a Hugging Face token may be sent to this address: https, on a host of Hugging Face's."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    trusted = any(host == domain or host.endswith(f".{domain}") for domain in HUGGING_FACE_DOMAINS)
    return parts.scheme == "https" and trusted


def without_userinfo(url: str) -> str:
    """The address as it may be shown: a user name and password in it are left out."""
    parts: SplitResult = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def at_address(url: str, ip: str) -> str:
    """The URL with this IP address in the place of its host's name."""
    parts: SplitResult = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    host = f"[{ip}]" if ":" in ip else ip
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=f"{user}{at}{host}{port}").geturl()
