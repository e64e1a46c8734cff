"""Lists of addresses: how they are written, and what of them is refused."""

import pytest

from gateway.places import Named, Place, at_address, is_hugging_face, without_userinfo

ENDPOINT = "https://abc.eu-west-1.aws.endpoints.huggingface.cloud"
LIST = "http://a:8000, http://b:8000;https://c.example"


def listed(**named: str) -> list[tuple[int, str]]:
    return [(place.group, place.url) for place in Named("diffusion", **named).places]


def tokens(**named: str) -> list[str | None]:
    places = Named("diffusion", **named).places
    return [place.token.get_secret_value() if place.token else None for place in places]


def refusal(**named: str) -> str:
    with pytest.raises(ValueError) as refused:
        _ = Named("diffusion", **named).places
    return str(refused.value)


def test_equals_are_parted_by_commas_and_groups_by_semicolons() -> None:
    assert listed(urls=LIST) == [(0, "http://a:8000"), (0, "http://b:8000"), (1, "https://c.example")]


def test_one_address_is_a_list_of_one() -> None:
    assert listed(url="http://a:8000/") == listed(urls="http://a:8000") == [(0, "http://a:8000")]


def test_nothing_is_nowhere() -> None:
    assert listed() == []


def test_one_address_and_a_list_are_refused_together() -> None:
    assert refusal(url="http://a", urls=LIST) == "Set DIFFUSION_URL or DIFFUSION_URLS, not both."


def test_a_list_in_the_place_of_one_address_is_told_its_variable() -> None:
    assert "for several set DIFFUSION_URLS; got" in refusal(url=LIST)


@pytest.mark.parametrize("urls", ["http://a:8000,", "a:8000,http://b", "http://a http://b", "ftp://a"])
def test_a_list_that_is_none_is_refused_with_its_form(urls: str) -> None:
    assert "DIFFUSION_URLS must be http(s)://host[:port][/path] several times, with ," in refusal(urls=urls)


def test_an_address_that_comes_twice_is_refused() -> None:
    said = refusal(urls="http://user:word@a:8000,http://user:word@a:8000/")
    assert said == "DIFFUSION_URLS must name each address once; http://a:8000 comes twice."


def test_each_address_has_its_own_token() -> None:
    assert tokens(urls=LIST, tokens="one,,three") == ["one", None, "three"]
    assert tokens(urls=LIST, tokens="one , two; three") == ["one", "two", "three"]


def test_as_many_tokens_as_addresses_must_be_given() -> None:
    said = refusal(urls=LIST, tokens="one,two")
    assert said.startswith("DIFFUSION_TOKENS must have an entry for each address of DIFFUSION_URLS")
    assert said.endswith("got 2 for 3.")


def test_one_token_is_not_sent_to_several_hosts() -> None:
    said = refusal(urls=LIST, token="secret")
    assert "DIFFUSION_TOKEN must be for one host, and DIFFUSION_URLS names several: a, b, c.example." in said
    assert "Set DIFFUSION_TOKENS" in said
    assert "secret" not in said


def test_one_token_may_be_for_several_addresses_of_one_host() -> None:
    assert tokens(urls="http://a:1,http://a:2", token="one") == ["one", "one"]


def test_a_token_and_a_list_of_tokens_are_refused_together() -> None:
    assert (
        refusal(urls=LIST, token="a", tokens="a,b,c") == "Set DIFFUSION_TOKEN or DIFFUSION_TOKENS, not both."
    )


def test_a_place_knows_the_variables_to_set() -> None:
    (place,) = Named("diffusion", url="http://a", suffix="__anime").places
    assert place == Place("diffusion", "http://a", None, 0, "DIFFUSION_URL__anime", "DIFFUSION_TOKEN__anime")
    variables = {(place.variable, place.token_variable) for place in Named("diffusion", urls=LIST).places}
    assert variables == {("DIFFUSION_URLS", "DIFFUSION_TOKENS")}


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        (ENDPOINT, True),
        ("https://user-space.hf.space/x", True),
        ("https://HuggingFace.co", True),
        ("http://abc.endpoints.huggingface.cloud", False),
        ("https://evilhuggingface.co", False),
        ("https://huggingface.co.evil.example", False),
        ("https://huggingface.co@evil.example", False),
        ("http://127.0.0.1:8001", False),
    ],
)
def test_only_https_hosts_of_hugging_face_are_trusted_with_its_token(url: str, trusted: bool) -> None:
    assert is_hugging_face(url) is trusted


def test_an_address_is_shown_without_user_and_password() -> None:
    assert without_userinfo("https://user:pass@host:1/path") == "https://host:1/path"


@pytest.mark.parametrize(
    ("url", "ip", "there"),
    [
        ("http://diffusion:8000/a", "10.0.0.1", "http://10.0.0.1:8000/a"),
        ("http://diffusion", "fd00::1", "http://[fd00::1]"),
        ("http://user:word@diffusion:8000", "10.0.0.1", "http://user:word@10.0.0.1:8000"),
    ],
)
def test_one_of_several_servers_of_a_name_has_an_address_of_its_own(url: str, ip: str, there: str) -> None:
    assert at_address(url, ip) == there
