"""Reading settings: the file format, the environment, and what happens with what is wrong."""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.runtime import settings_reader
from common.runtime.commands import LoadConfig, NodeConfig
from common.runtime.config.catalogue import GROUPS, WITHOUT_EFFECT, WithoutEffect
from common.runtime.settings import ConfigError, ConfigNotLoaded, Role, Secret, Setting, declared
from common.runtime.settings_reader import Loaded
from css.config import CssConfig, load_css_config
from ess.config import load_ess_config

ALL_SETTINGS = [each for group in GROUPS for each in declared(group).values()]


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return tmp_path / "sync.conf"


def load(
    conf: Path, text: str | bytes, environ: dict[str, str] | None = None, *, strict: bool = False
) -> Loaded[CssConfig]:
    conf.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_css_config(conf, environ or {}, strict=strict)


def problems_of(conf: Path, text: str | bytes, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(conf, text, environ)
    return caught.value.problems


def lines_told(load_config: LoadConfig[NodeConfig], conf: Path, environ: dict[str, str]) -> list[str]:
    """What the operator gets to see, whether the configuration is fine or not."""
    try:
        loaded = load_config(conf, environ)
    except ConfigError as error:
        return error.problems
    return [*loaded.warnings, *(each.value for each in loaded.settings)]


class TestFileFormat:
    def test_values_keep_their_inner_spaces(self, conf: Path) -> None:
        loaded = load(conf, "LogRootPath \t /srv/sync  logs/a b \n")

        assert loaded.config.logging.directory == Path("/srv/sync  logs/a b")

    def test_a_number_sign_after_the_start_of_a_value_belongs_to_it(self, conf: Path) -> None:
        assert load(conf, "LogFileName a#b # c").config.logging.file_name == "a#b # c"

    @pytest.mark.parametrize("text", ["", "\n\n", "# OrgID a", "#OrgID a", "  # OrgID a", "\t#OrgID a", "\r\n"])
    def test_comments_and_blank_lines_set_nothing(self, conf: Path, text: str) -> None:
        loaded = load(conf, text)

        assert loaded.config == CssConfig()
        assert loaded.warnings == ()

    @pytest.mark.parametrize("text", ["  OrgID   a  ", "OrgID\ta\r\n", "\ufeffOrgID a", "OrgID a"])
    def test_blanks_line_ends_and_a_byte_order_mark_do_not_matter(self, conf: Path, text: str) -> None:
        assert load(conf, text).config.identity.org_id == "a"

    def test_a_key_set_twice_is_an_error(self, conf: Path) -> None:
        with pytest.raises(ConfigNotLoaded, match="line 3: OrgID is already set in line 1; keep one"):
            load(conf, "OrgID a\nLogLevel INFO\nOrgID a\n")

    def test_of_two_spellings_the_first_wins_and_says_so(self, conf: Path) -> None:
        loaded = load(conf, "OrgId b\nOrgID a\n")

        assert loaded.config.identity.org_id == "a"
        assert loaded.warnings == (f"OrgID ({conf} line 2): wins over its other spelling OrgId in line 1",)

    @pytest.mark.parametrize(
        ("content", "complaint"),
        [
            (b"OrgID \xff", "line 1: is not UTF-8"),
            (b"LogLevel INFO\nOrgID \x00", "line 2: holds a control character"),
            (b"OrgID " + b"a" * 70_000, "line 1: is longer than 65536 bytes"),
            (b"#\n" * 600_000, "is larger than 1048576 bytes"),
        ],
    )
    def test_what_is_no_configuration_file_is_refused(self, conf: Path, content: bytes, complaint: str) -> None:
        with pytest.raises(ConfigNotLoaded, match=complaint):
            load(conf, content)

    def test_a_named_file_that_is_missing_is_an_error(self, conf: Path) -> None:
        with pytest.raises(ConfigNotLoaded, match="there is no such file"):
            load_css_config(conf, {})

    def test_a_default_file_that_is_missing_means_defaults(self, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings_reader, "DEFAULT_CONFIG_FILE", conf)

        assert load_css_config(None, {}).config == CssConfig()

    def test_the_default_file_is_read_when_it_exists(self, conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings_reader, "DEFAULT_CONFIG_FILE", conf)
        conf.write_text("OrgID a")

        assert load_css_config(None, {}).config.identity.org_id == "a"

    def test_a_directory_is_no_configuration_file(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigNotLoaded, match="cannot be read"):
            load_css_config(tmp_path, {})

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(content=st.one_of(st.text(), st.binary().map(lambda data: data.decode("latin-1"))), strict=st.booleans())
    def test_any_text_is_a_configuration_or_a_config_error(self, conf: Path, content: str, strict: bool) -> None:
        conf.write_bytes(content.encode("utf-8", "surrogatepass"))
        for load_config in (load_css_config, load_ess_config):
            with suppress(ConfigError):
                load_config(conf, {}, strict=strict)

    @hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
    @given(key=st.sampled_from([each.key for each in ALL_SETTINGS]), value=st.text(), in_file=st.booleans())
    def test_any_value_of_any_setting_is_taken_or_a_config_error(
        self, conf: Path, key: str, value: str, in_file: bool
    ) -> None:
        conf.write_bytes(f"{key} {value}".encode("utf-8", "surrogatepass") if in_file else b"")
        for load_config in (load_css_config, load_ess_config):
            told = lines_told(load_config, conf, {} if in_file else {key: value})
            assert all(len(line.splitlines()) <= 1 for line in told)


class TestValues:
    @pytest.mark.parametrize("word", ["true", "TRUE", "t", "1"])
    def test_words_for_true(self, conf: Path, word: str) -> None:
        conf.write_text(f"HTTPCSSUseSSL {word}\n{ESS}")

        assert load_ess_config(conf, {}).config.link.css_uses_tls is True

    @pytest.mark.parametrize("word", ["yes", "on", "2", "tru", "no", "enabled"])
    def test_what_the_reference_took_for_false_is_an_error(self, conf: Path, word: str) -> None:
        conf.write_text(f"HTTPCSSUseSSL {word}\n{ESS}")

        with pytest.raises(ConfigError) as caught:
            load_ess_config(conf, {})

        expected = f"HTTPCSSUseSSL ({conf} line 1): is '{word}', which is neither true nor false; write true or false"
        assert caught.value.problems == [expected]

    @pytest.mark.parametrize(
        "text",
        ["30s", "12abc", "abc", "1e3", "0x10", "1_0", "١٢", "1.5", "70000", "-1", "99999999999999999999", "10 # ten"],
    )
    def test_a_number_is_whole_and_in_range_or_an_error(self, conf: Path, text: str) -> None:
        (problem,) = problems_of(conf, f"UnsecureListeningPort {text}")

        assert problem.startswith(f"UnsecureListeningPort ({conf} line 1): is ")
        assert problem.endswith("; write a whole number from 0 to 65535")

    def test_a_number_may_have_a_sign_and_zeros(self, conf: Path) -> None:
        assert load(conf, "UnsecureListeningPort +0081").config.listening.unsecure_port == 81

    def test_units_are_converted(self, conf: Path) -> None:
        conf.write_text(f"MaxMetadataKB 3\nMaxObjectSizeMB 4\n{ESS}")

        config = load_ess_config(conf, {}).config

        assert config.limits.metadata_bytes == 3 * 1024
        assert config.limits.payload_bytes == 4 * 1024 * 1024

    @pytest.mark.parametrize(
        "each", [each for each in ALL_SETTINGS if not each.kind.takes_empty], ids=lambda each: each.key
    )
    def test_a_key_without_value_is_an_error_and_not_zero(self, conf: Path, each: Setting[object]) -> None:
        conf.write_text(f"{each.key}\n{'' if each.key in ESS else ESS}")
        load_config = load_ess_config if Role.ESS in each.roles else load_css_config

        with pytest.raises(ConfigError) as caught:
            load_config(conf, {})

        assert any(problem.startswith(f"{each.key} ({conf} line 1): has no value") for problem in caught.value.problems)

    @pytest.mark.parametrize("each", ALL_SETTINGS, ids=lambda each: each.key)
    def test_a_default_survives_being_written_and_read(self, each: Setting[object]) -> None:
        for role in each.roles:
            default = each.default_for(role)
            assert each.kind.parse(each.kind.show(default)) == default

    def test_a_relative_directory_is_below_the_working_directory(
        self, conf: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(conf.parent)

        assert load(conf, "PersistenceRootPath ./x/../state").config.storage.root == conf.parent / "state"


class TestEnvironment:
    def test_it_wins_over_the_file(self, conf: Path) -> None:
        assert load(conf, "OrgID a", {"ORG_ID": "b"}).config.identity.org_id == "b"

    def test_a_variable_spelled_like_the_option_comes_first(self, conf: Path) -> None:
        assert load(conf, "OrgID a", {"ORG_ID": "b", "OrgID": "c"}).config.identity.org_id == "c"

    def test_an_empty_variable_empties_a_text(self, conf: Path) -> None:
        assert load(conf, "OrgID a", {"ORG_ID": ""}).config.identity.org_id == ""

    @pytest.mark.parametrize("variable", ["UNSECURE_LISTENING_PORT", "UnsecureListeningPort"])
    def test_an_empty_variable_of_anything_else_is_not_set(self, conf: Path, variable: str) -> None:
        assert load(conf, "UnsecureListeningPort 81", {variable: ""}).config.listening.unsecure_port == 81

    def test_an_empty_level_leaves_the_default(self, conf: Path) -> None:
        assert load(conf, "", {"LOG_LEVEL": ""}).config.logging == CssConfig().logging

    def test_a_wrong_variable_is_named(self, conf: Path) -> None:
        (problem,) = problems_of(conf, "", {"LOG_LEVEL": "LOUD"})

        assert problem.startswith(
            "LogLevel (environment LOG_LEVEL): is 'LOUD', which is not one of the choices; write NONE,"
        )

    def test_every_setting_has_a_variable_of_its_own(self) -> None:
        variables = [each.variable for each in ALL_SETTINGS] + [each.variable for each in WITHOUT_EFFECT]

        assert len(set(variables)) == len(variables)


class TestUnknownAndIneffectiveKeys:
    def test_an_unknown_key_is_warned_about_with_a_suggestion(self, conf: Path) -> None:
        loaded = load(conf, "Loglevel DEBUG")

        assert loaded.warnings == (f"{conf} line 1: 'Loglevel' is not a known setting; did you mean LogLevel?",)

    def test_strict_makes_it_an_error(self, conf: Path) -> None:
        with pytest.raises(ConfigError, match="not a known setting"):
            load(conf, "Loglevel DEBUG", strict=True)

    @pytest.mark.parametrize("each", WITHOUT_EFFECT, ids=lambda each: each.key)
    def test_each_key_without_effect_is_accepted_with_one_warning(self, conf: Path, each: WithoutEffect) -> None:
        key, variable = each.key, each.variable

        (in_file,) = load(conf, f"{key} x", strict=True).warnings
        (in_environment,) = load(conf, "", {variable: "x"}).warnings

        assert in_file.startswith(f"{key} ({conf} line 1): has no effect in this version")
        assert in_environment.startswith(f"{key} (environment {variable}): has no effect in this version")

    def test_a_setting_of_the_other_service_is_warned_about_and_left_alone(self, conf: Path) -> None:
        loaded = load(conf, "HTTPCSSPort nonsense")

        assert loaded.warnings == (f"HTTPCSSPort ({conf} line 1): is used by the ESS only; this is the CSS",)
        assert loaded.config == CssConfig()


class TestReport:
    def test_all_problems_are_told_together(self, conf: Path) -> None:
        text = "LogLevel LOUD\nOrgID a/b\nOrgID a/b\nNodeType ESS\nMaxMetadataKB 0\n"

        assert [each.split(": ")[0] for each in problems_of(conf, text)] == [
            f"{conf} line 3",
            f"OrgID ({conf} line 2)",
            f"MaxMetadataKB ({conf} line 5)",
            f"LogLevel ({conf} line 1)",
            f"NodeType ({conf} line 4)",
        ]

    def test_a_value_that_cannot_be_read_is_not_also_called_missing(self, conf: Path) -> None:
        conf.write_text(ESS.replace("OrgID org", "OrgID a b"))

        with pytest.raises(ConfigError) as caught:
            load_ess_config(conf, {})

        assert len(caught.value.problems) == 1

    def test_each_value_is_shown_with_its_origin(self, conf: Path) -> None:
        loaded = load(conf, "OrgID a\nSmallPayloadBytes 10", {"LOG_LEVEL": "debug"})

        shown = {each.key: (each.value, each.origin) for each in loaded.settings}
        assert shown["OrgID"] == ("a", f"{conf} line 1")
        assert shown["LogLevel"] == ("DEBUG", "environment LOG_LEVEL")
        assert shown["SmallPayloadBytes"] == ("10", f"{conf} line 2")
        assert shown["HTTPPollWait"] == ("50", "default")
        assert "HTTPCSSHost" not in shown


class TestSecrets:
    URL = "postgresql://css:hunter2@db/css"

    def test_a_secret_shows_itself_nowhere(self, conf: Path) -> None:
        loaded = load(conf, f"StorageProvider postgres\nDatabaseURL {self.URL}")

        assert loaded.config.storage.database_url.reveal() == self.URL
        assert "hunter2" not in repr(loaded)
        assert "hunter2" not in f"{loaded.config.storage.database_url}{loaded.config.storage.database_url!r}"
        assert {each.key: each.value for each in loaded.settings}["DatabaseURL"] == "********"

    def test_a_secret_cannot_be_pickled(self) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(Secret("hunter2"))

    def test_a_secret_equals_the_same_secret_only(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert not Secret()

    def test_a_wrong_secret_is_not_quoted(self, conf: Path) -> None:
        (problem,) = problems_of(conf, "StorageProvider postgres\nDatabaseURL mysql://css:hunter2@db/css")

        assert problem.startswith(f"DatabaseURL ({conf} line 2): is not the address of a PostgreSQL database; write")
        assert "hunter2" not in problem

    def test_a_secret_may_come_from_a_file_of_its_own(self, conf: Path, tmp_path: Path) -> None:
        (tmp_path / "url").write_text(self.URL + "\n")

        loaded = load(conf, "StorageProvider postgres", {"DATABASE_URL_FILE": str(tmp_path / "url")})

        assert loaded.config.storage.database_url == Secret(self.URL)

    def test_a_secret_given_in_two_ways_is_an_error(self, conf: Path, tmp_path: Path) -> None:
        environ = {"DATABASE_URL_FILE": str(tmp_path / "url"), "DATABASE_URL": self.URL}

        (problem,) = problems_of(conf, "StorageProvider postgres", environ)

        assert problem == (
            "DatabaseURL (environment DATABASE_URL_FILE): is also set by environment DATABASE_URL; write one of them only"
        )

    @pytest.mark.parametrize("content", [None, b"\xff\xfehunter2", b"x" * 70_000])
    def test_a_secret_file_that_cannot_be_read_is_an_error(
        self, conf: Path, tmp_path: Path, content: bytes | None
    ) -> None:
        if content is not None:
            (tmp_path / "url").write_bytes(content)

        (problem,) = problems_of(conf, "StorageProvider postgres", {"DATABASE_URL_FILE": str(tmp_path / "url")})

        assert "cannot be read" in problem
        assert "hunter2" not in problem

    def test_pem_text_is_not_shown(self, conf: Path, tmp_path: Path) -> None:
        key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"
        certificate = tmp_path / "cert.pem"
        certificate.touch()
        environ = {"SERVER_KEY": key, "SERVER_CERTIFICATE": str(certificate), "LISTENING_TYPE": "secure"}

        loaded = load(conf, "", environ)

        assert loaded.config.listening.key.text == key
        assert "hunter2" not in repr(loaded)


ESS = "DestinationType dt\nDestinationID di\nOrgID org\nHTTPCSSHost localhost\nHTTPCSSPort 8080\nCSSAppSecret s\n"
