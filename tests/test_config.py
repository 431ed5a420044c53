"""Settings: what is wrong is named by its key, and no secret is ever shown."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from ajpes_reporting.cli.main import run
from ajpes_reporting.config import Workspace, open_workspace, open_workspaces, read_settings
from ajpes_reporting.domain.errors import ConfigurationError, UsageError
from ajpes_reporting.workspace import make_workspace

PROVIDER = '[provider]\nregistration_number = "5860571000"\nname = "Banka Vzorec d.d."\n'
SOAP = '[soap]\nendpoint = "https://127.0.0.1:8443/ws"\n'
SFTP = '[sftp]\nhost = "127.0.0.1"\nusername = "banka"\nhost_key = "ssh-ed25519 AAAA"\n'
SECRET = "hunter2-correct-horse"


def complaint(text: str) -> str:
    """What is said about settings that cannot be used; it is never the secret."""
    with pytest.raises(ConfigurationError) as refused:
        read_settings(text)
    told = f"{refused.value.message} {refused.value.remedy}"
    assert SECRET not in told
    assert refused.value.exit_code == 2
    assert refused.value.remedy
    return told


def workspace(text: str, folder: Path) -> Workspace:
    return Workspace(folder, read_settings(text))


def test_the_smallest_settings_have_the_documented_defaults() -> None:
    """A bank writes down what differs, and nothing else."""
    settings = read_settings(PROVIDER)
    assert settings.nodurs.amounts == "cents"
    assert settings.spapp.amounts == "euros"
    assert settings.checks.strict is False
    assert settings.database.url == "sqlite:///ajpes.db"
    assert settings.schedule.nodurs_start == time(16)
    assert (settings.soap, settings.sftp, settings.ledger.url) == (None, None, None)


@pytest.mark.parametrize("language", ["sl", "en", ""])
def test_the_language_stands_above_all_sections(language: str) -> None:
    """Protects a clerk from messages in a language that is nobody's: one of two, or that of the locale."""
    assert read_settings(f'language = "{language}"\n{PROVIDER}').language == language


def test_a_new_workspace_can_be_opened(tmp_path: Path) -> None:
    """What `init` writes is what the program reads, whatever the bank is called."""
    name = 'Banka "Pri mostu" \\ d.d.'
    made = make_workspace(tmp_path / "bank", "1234567", name)
    assert made.settings.provider.name == name
    assert open_workspace(tmp_path / "bank").settings == made.settings


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "provider"),
        ('[provider]\nname = "x"', "provider.registration_number"),
        ('[provider]\nregistration_number = "5860571"', "provider.name"),
        (PROVIDER + "[soap]", "soap.endpoint"),
        (PROVIDER + '[sftp]\nhost = "h"\nusername = "u"', "sftp.host_key"),
    ],
)
def test_a_missing_key_is_named(text: str, key: str) -> None:
    """Whoever sets the program up learns which line to write."""
    assert f"{key} is missing" in complaint(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (PROVIDER + '[nodurs]\namount = "cents"', "nodurs.amount"),
        (PROVIDER + '[sopa]\nendpoint = "x"', "sopa"),
        (PROVIDER + SOAP + 'passwort = "file:x"', "soap.passwort"),
        ('colour = "blue"\n' + PROVIDER, "colour"),
        ("_cli_parse_args = true\n" + PROVIDER, "_cli_parse_args"),
        ('_env_prefix = "X"\n' + PROVIDER, "_env_prefix"),
    ],
)
def test_an_unknown_key_is_named(text: str, key: str) -> None:
    """A setting that is spelt wrong must not be silently without effect."""
    assert f"{key} is not a setting" in complaint(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('language = "de"\n' + PROVIDER, "language"),
        ('[provider]\nregistration_number = 5860571\nname = "x"', "provider.registration_number"),
        ('[provider]\nregistration_number = "586057"\nname = "x"', "provider.registration_number"),
        ('[provider]\nregistration_number = "58605710"\nname = "x"', "provider.registration_number"),
        ('[provider]\nregistration_number = "5860571\\n"\nname = "x"', "provider.registration_number"),
        ('[provider]\nregistration_number = "5860571"\nname = ""', "provider.name"),
        (f'[provider]\nregistration_number = "5860571"\nname = "{"x" * 141}"', "provider.name"),
        ("provider = 1", "provider"),
        (PROVIDER + '[nodurs]\namounts = "euros"', "nodurs.amounts"),
        (PROVIDER + '[spapp]\namounts = "tolars"', "spapp.amounts"),
        (PROVIDER + '[checks]\nstrict = "perhaps"', "checks.strict"),
        (PROVIDER + '[schedule]\nnodurs_start = "four"', "schedule.nodurs_start"),
        (PROVIDER + "[schedule]\nevery_seconds = 0", "schedule.every_seconds"),
        (PROVIDER + SFTP + 'port = "ssh"', "sftp.port"),
        (PROVIDER + SFTP + "port = 99999", "sftp.port"),
        (PROVIDER + SFTP + "answer_wait_seconds = -1", "sftp.answer_wait_seconds"),
        (PROVIDER + SFTP + "call_timeout_seconds = inf", "sftp.call_timeout_seconds"),
        (PROVIDER + SOAP + "connect_timeout_seconds = 0", "soap.connect_timeout_seconds"),
        (PROVIDER + SOAP + "operation_timeout_seconds = nan", "soap.operation_timeout_seconds"),
        (PROVIDER + SOAP + 'authentication = "magic"', "soap.authentication"),
        (PROVIDER + SOAP + 'ident = "one"', "soap.ident"),
    ],
)
def test_a_value_of_the_wrong_kind_is_named(text: str, key: str) -> None:
    """A wrong value is found before a report is late because of it."""
    assert f"  {key}:" in complaint(text)


def test_every_wrong_key_is_named_at_once() -> None:
    """Nobody wants to mend one line at a time."""
    told = complaint('[provider]\nname = "x"\n[nodurs]\namounts = "x"\n[nonsense]\n')
    for key in ("provider.registration_number", "nodurs.amounts", "nonsense"):
        assert key in told


@pytest.mark.parametrize("text", ["[provider", "a = ", 'a = "x', "a = 1\na = 2", "\x00", "= 1"])
def test_text_that_is_no_toml_is_refused(text: str) -> None:
    """A slip in the file is told with its place."""
    assert "is not valid TOML" in complaint(text)


# --- Secrets --------------------------------------------------------------------------------------

SECRETS = [
    (SOAP, "soap.password"),
    (SOAP, "soap.client_key_password"),
    (SFTP, "sftp.password"),
    (SFTP, "sftp.private_key_password"),
]


@pytest.mark.parametrize(("section", "key"), SECRETS)
@pytest.mark.parametrize("written", [f'"{SECRET}"', f'"pass:{SECRET}"', f'["{SECRET}"]', f'"{SECRET}" 1'])
def test_a_secret_written_in_clear_is_refused_and_never_repeated(
    section: str, key: str, written: str
) -> None:
    """A password typed in the wrong place does not end in a log as well."""
    told = complaint(f"{PROVIDER}{section}{key.split('.')[1]} = {written}")
    assert key in told or "TOML" in told


@pytest.mark.parametrize(("section", "key"), SECRETS)
@pytest.mark.parametrize("reference", ["env:", "file:", "credential:", "vault:x", ""])
def test_a_reference_that_points_nowhere_is_refused(section: str, key: str, reference: str) -> None:
    """Only the three known kinds of references are taken."""
    assert f"{key}: a secret is given by reference" in complaint(
        f'{PROVIDER}{section}{key.split(".")[1]} = "{reference}"'
    )


def test_secrets_are_read_from_where_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable, a file, or a systemd credential; the line end is not part of it."""
    place = workspace(PROVIDER, tmp_path)
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys/password").write_text(f"{SECRET} č\n", encoding="utf-8")
    (tmp_path / "soap").write_text(f"{SECRET}\r\n")
    monkeypatch.setenv("AJPES_PASSWORD", SECRET)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert place.secret("k", "env:AJPES_PASSWORD") == SECRET
    assert place.secret("k", "file:keys/password") == f"{SECRET} č"
    assert place.secret("k", f"file:{tmp_path}/keys/password") == f"{SECRET} č"
    assert place.secret("k", "credential:soap") == SECRET


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\r\n\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("reference", ["file:secret", "credential:secret"])
def test_a_secret_that_windows_saved_is_that_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, encoding: str, reference: str
) -> None:
    """A mark that no editor shows does not become part of a password, nor do line ends."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "secret").write_bytes(f"{SECRET} č{end}".encode(encoding))
    assert workspace(PROVIDER, tmp_path).secret("k", reference) == f"{SECRET} č"


def test_blanks_belong_to_a_secret(tmp_path: Path) -> None:
    """Whoever chose a password with a blank at its end gets in with it."""
    (tmp_path / "secret").write_text(f" {SECRET} \n")
    assert workspace(PROVIDER, tmp_path).secret("k", "file:secret") == f" {SECRET} "


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{SECRET}\n".encode("utf-16"), "UTF-16"),
        (f"{SECRET}\n".encode("utf-16-le"), "UTF-16"),
        (f"{SECRET}č\n".encode("cp1250"), "not UTF-8 text, in line 1"),
        (b"", "is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty"),
    ],
)
def test_a_secret_in_another_encoding_is_told_and_not_shown(
    tmp_path: Path, content: bytes, told: str
) -> None:
    """PowerShell writes UTF-16; the authority would only say that the password is wrong."""
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigurationError, match=told) as refused:
        workspace(PROVIDER, tmp_path).secret("soap.password", "file:secret")
    assert "soap.password" in refused.value.message
    assert "hunter2" not in refused.value.message + refused.value.remedy


@pytest.mark.parametrize(
    "reference",
    ["env:AJPES_NOT_SET", "file:missing", "file:.", "file:binary", "file:a\0b", "file:~nobody-at-all/x",
     "credential:missing"],
)  # fmt: skip
def test_a_secret_that_is_not_there_is_named_by_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    """A moved key file stops the run with words, before anything is sent."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ConfigurationError) as refused:
        workspace(PROVIDER, tmp_path).secret("soap.password", reference)
    assert refused.value.remedy
    assert "soap.password" in refused.value.message or "nobody-at-all" in refused.value.message


# --- Proxies --------------------------------------------------------------------------------------

AS_ADDRESS = "a proxy is written like http://proxy:3128"


@pytest.mark.parametrize("section", [SOAP, SFTP, '[webhook]\nurl = "https://x/"\n'])
@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"http://banka:{SECRET}@proxy:3128", "stand in proxy_username and proxy_password"),
        ("http://banka@proxy:3128", "stand in proxy_username and proxy_password"),
        ("proxy:3128", AS_ADDRESS),
        ("socks5://proxy:1080", AS_ADDRESS),
        ("http://proxy:port", AS_ADDRESS),
        ("http://:3128", AS_ADDRESS),
        ("http://proxy:3128/pac", AS_ADDRESS),
        ("http://proxy:3128?x", AS_ADDRESS),
        ("http://pro xy:3128", AS_ADDRESS),
        ("http://proxy:3128\\r\\nX: y", AS_ADDRESS),
        ("", AS_ADDRESS),
    ],
)
def test_a_proxy_is_an_address_and_nothing_else(section: str, url: str, told: str) -> None:
    """A password in an address would stand in every message about it."""
    name = section.partition("]")[0].strip("[")
    said = complaint(f'{PROVIDER}{section}proxy = "{url}"')
    assert f"{name}.proxy: " in said
    assert told in said


@pytest.mark.parametrize(
    "url", ["http://proxy:3128", "https://proxy:3129/", "http://[::1]:3128", "http://10.0.0.1"]
)
def test_a_proxy_is_off_unless_it_is_set(url: str) -> None:
    """With and without TLS, by name and by address."""
    settings = read_settings(f'{PROVIDER}{SFTP}{SOAP}proxy = "{url}"')
    assert settings.soap is not None
    assert settings.sftp is not None
    assert (settings.soap.proxy, settings.sftp.proxy) == (url, None)


# --- The environment ------------------------------------------------------------------------------


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container is pointed at another server without a new file."""
    monkeypatch.setenv("AJPES_REPORTING_SOAP__ENDPOINT", "https://other:1/ws")
    monkeypatch.setenv("AJPES_REPORTING_PROVIDER__ACCOUNT_PREFIXES", '["01", "02"]')
    monkeypatch.setenv("AJPES_REPORTING_CHECKS__STRICT", "true")
    settings = read_settings(PROVIDER + SOAP + 'username = "banka"')
    assert settings.soap is not None
    assert (settings.soap.endpoint, settings.soap.username) == ("https://other:1/ws", "banka")
    assert settings.provider.account_prefixes == ("01", "02")
    assert settings.checks.strict is True


@pytest.mark.parametrize(
    ("variable", "value", "key"),
    [
        ("SOAP__PASSWORD", SECRET, "soap.password"),
        ("SOAP__ENDPOIN", "https://other", "soap.endpoin"),
        ("SOAP__IDENT", SECRET, "soap"),
        ("SOAP__IDENT", f'["{SECRET}', "soap"),
        ("SOAP", SECRET, "soap"),
        ("SFTP__PORT", SECRET, "sftp.port"),
    ],
)
def test_a_wrong_variable_is_told_without_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, key: str
) -> None:
    """What is in the environment may be a secret too."""
    monkeypatch.setenv(f"AJPES_REPORTING_{variable}", value)
    assert key in complaint(PROVIDER + SOAP + SFTP)


# --- Paths and addresses --------------------------------------------------------------------------


def test_paths_are_relative_to_the_workspace(tmp_path: Path) -> None:
    """The program may be started from any folder."""
    place = workspace(PROVIDER + '[ledger]\nurl = "postgresql://reader:pw@db/bank"', tmp_path)
    assert place.database_url() == f"sqlite:///{tmp_path}/ajpes.db"
    assert place.ledger_url() == "postgresql://reader:pw@db/bank"
    assert place.path("keys/a.pem") == tmp_path / "keys/a.pem"
    assert place.path("/etc/a.pem") == Path("/etc/a.pem")
    absolute = workspace(PROVIDER + '[database]\nurl = "sqlite:////srv/x.db"', tmp_path)
    assert absolute.database_url() == "sqlite:////srv/x.db"


@pytest.mark.parametrize("url", [SECRET, f"postgresql://user:{SECRET}@host:port/name"])
def test_a_wrong_address_of_a_database_is_named_without_its_password(tmp_path: Path, url: str) -> None:
    """The password stands in the address, so the address is not repeated."""
    with pytest.raises(ConfigurationError) as refused:
        workspace(f'{PROVIDER}[database]\nurl = "{url}"', tmp_path).database_url()
    assert refused.value.message.startswith("database.url")
    assert SECRET not in refused.value.message + refused.value.remedy


def test_a_folder_without_settings_is_no_workspace(tmp_path: Path) -> None:
    """Somebody in the wrong folder is told how to get to the right one."""
    with pytest.raises(UsageError) as refused:
        open_workspace(tmp_path)
    assert "init" in refused.value.remedy
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_settings_that_cannot_be_read_are_told(tmp_path: Path, content: bytes | None) -> None:
    """A folder in the place of the file, or a file of another encoding, ends in words."""
    path = tmp_path / "ajpes.toml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_workspace(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_settings_that_windows_saved_are_those_settings(tmp_path: Path, encoding: str, end: str) -> None:
    """Notepad puts a mark before the text that nobody sees."""
    for folder, text in (
        (tmp_path, 'workspaces = ["banka"]\n'),
        (tmp_path / "banka", f"# Žagar\n{PROVIDER}"),
    ):
        folder.mkdir(exist_ok=True)
        (folder / "ajpes.toml").write_bytes(text.replace("\n", end).encode(encoding))
    [one] = open_workspaces(tmp_path)
    assert one.settings.provider.registration_number == "5860571000"


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-16", "UTF-16"), ("utf-16-be", "UTF-16"), ("cp1250", "in line 3")]
)
def test_settings_in_another_encoding_are_told_as_that(tmp_path: Path, encoding: str, told: str) -> None:
    """Whoever saved the file as “Unicode” or “ANSI” learns that it is to be UTF-8."""
    text = PROVIDER.replace("Vzorec", "Žiri")
    (tmp_path / "ajpes.toml").write_bytes(text.encode(encoding))
    with pytest.raises(ConfigurationError, match=told) as refused:
        open_workspace(tmp_path)
    assert "UTF-8" in refused.value.remedy


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (PROVIDER + f'{SOAP}password = "{SECRET}"', "soap.password"),
        (PROVIDER + '[nodurs]\namount = "x"', "nodurs.amount is not a setting"),
        ("[provider", "is not valid TOML"),
    ],
)
def test_the_command_line_ends_with_2_and_names_the_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    """A scheduler sees by the exit code that the settings are to blame, and the log says which."""
    (tmp_path / "ajpes.toml").write_text(text, encoding="utf-8")
    assert run(["-w", str(tmp_path), "status"]) == 2
    shown = capfd.readouterr()
    assert told in shown.err
    assert SECRET not in shown.out + shown.err
    assert "Traceback" not in shown.err
