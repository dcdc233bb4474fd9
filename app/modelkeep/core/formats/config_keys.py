"""Which sections and keys a DVC config may hold, and which of them a repository may set. Tables, no behaviour.

Sources: DVC 3.67 config_schema.py (dvc-format §6.3) and the allow-list of safety §5.2.
"""

from __future__ import annotations

BOOL, INT, TEXT, LIST = "true or false", "a whole number", "text", "a list"


def _keys(kind: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), kind)


_LOCAL = {
    **_keys(BOOL, "protected slow_link_warning verify"),
    **_keys(TEXT, "shared"),
    **_keys(LIST, "type"),
}
_COMMON = {**_keys(TEXT, "url"), **_keys(INT, "checksum_jobs jobs")} | _keys(
    BOOL, "worktree no_traverse version_aware"
)
_VERIFY = _keys(BOOL, "verify")
_HTTP = {
    **_keys(TEXT, "auth custom_auth_header user password ssl_verify method connect_timeout read_timeout"),
    **_keys(BOOL, "ask_password verify"),
}
_WEBDAV = {
    **_keys(
        TEXT, "user password token bearer_token_command custom_auth_header cert_path key_path ssl_verify"
    ),
    **_keys(BOOL, "ask_password verify"),
    **_keys(INT, "timeout"),
}

#: Keys of a remote by the scheme of its URL; "" is a folder.
REMOTE: dict[str, dict[str, str]] = {
    "": _LOCAL,
    "ssh": {
        **_keys(LIST, "type"),
        **_keys(INT, "port timeout max_sessions"),
        **_keys(TEXT, "user password passphrase keyfile"),
        **_keys(BOOL, "ask_password ask_passphrase gss_auth allow_agent verify"),
    },
    "s3": {
        **_keys(TEXT, "region profile credentialpath configpath endpointurl access_key_id secret_access_key"),
        **_keys(TEXT, "session_token ssl_verify sse sse_kms_key_id sse_customer_algorithm sse_customer_key"),
        **_keys(TEXT, "acl grant_read grant_read_acp grant_write_acp grant_full_control cache_regions"),
        **_keys(BOOL, "listobjects use_ssl allow_anonymous_login verify"),
        **_keys(INT, "read_timeout connect_timeout"),
    },
    "gs": {
        **_keys(TEXT, "projectname credentialpath endpointurl"),
        **_keys(BOOL, "verify allow_anonymous_login"),
    },
    "azure": {
        **_keys(
            TEXT, "connection_string sas_token account_name account_key tenant_id client_id client_secret"
        ),
        **_keys(BOOL, "allow_anonymous_login exclude_environment_credential verify"),
        **_keys(BOOL, "exclude_visual_studio_code_credential exclude_shared_token_cache_credential"),
        **_keys(BOOL, "exclude_managed_identity_credential"),
        **_keys(INT, "timeout read_timeout connection_timeout"),
    },
    "gdrive": {
        **_keys(TEXT, "profile gdrive_client_id gdrive_client_secret gdrive_user_credentials_file"),
        **_keys(TEXT, "gdrive_service_account_user_email gdrive_service_account_json_file_path"),
        **_keys(BOOL, "gdrive_use_service_account gdrive_trash_only gdrive_acknowledge_abuse verify"),
    },
    "oss": {**_keys(TEXT, "oss_key_id oss_key_secret oss_endpoint"), **_VERIFY},
    "http": _HTTP,
    "https": _HTTP,
    "webdav": _WEBDAV,
    "webdavs": _WEBDAV,
    "hdfs": {**_keys(TEXT, "user kerb_ticket"), **_keys(INT, "replication")},
    "webhdfs": {
        **_keys(BOOL, "kerberos use_https verify"),
        **_keys(TEXT, "kerberos_principal proxy_to ssl_verify token user password data_proxy_target"),
    },
}
REMOTE = {scheme: {**_COMMON, **keys} for scheme, keys in REMOTE.items()}
ANY_REMOTE: dict[str, str] = {key: kind for keys in REMOTE.values() for key, kind in keys.items()}

#: Plain sections, in the order DVC writes new ones. `feature` may hold unknown keys.
SECTIONS: dict[str, dict[str, str]] = {
    "core": {
        **_keys(TEXT, "remote site_cache_dir machine"),
        **_keys(INT, "checksum_jobs"),
        **_keys(BOOL, "interactive analytics hardlink_lock no_scm autostage experiments check_update"),
    },
    "cache": {**_LOCAL, **_keys(TEXT, "dir local s3 gs hdfs webhdfs ssh azure")},
    "state": {**_keys(TEXT, "dir"), **_keys(INT, "row_limit row_cleanup_quota")},
    "index": _keys(TEXT, "dir"),
    "feature": _keys(BOOL, "machine"),
    "plots": {**_keys(TEXT, "html_template out_dir"), **_keys(BOOL, "auto_open")},
    "exp": {
        **_keys(TEXT, "code data models metrics params plots live git_remote"),
        **_keys(BOOL, "auto_push"),
    },
    "parsing": _keys(TEXT, "bool list"),
    "hydra": {**_keys(BOOL, "enabled"), **_keys(TEXT, "config_dir config_module config_name plugins_path")},
    "studio": {**_keys(TEXT, "token url repo_url"), **_keys(BOOL, "offline")},
}
#: Sections with a name of their own: [remote "x"], [machine "x"], [db "x"], in the order DVC writes them.
NAMED: dict[str, dict[str, str]] = {
    "remote": ANY_REMOTE,
    "machine": {
        **_keys(TEXT, "cloud region image spot_price instance_type instance_gpu ssh_private"),
        **_keys(TEXT, "startup_script setup_script"),
        **_keys(BOOL, "spot"),
        **_keys(INT, "instance_hdd_size"),
    },
    "db": _keys(TEXT, "url username password"),
}

#: Values that are paths relative to the config file.
PATH_KEYS = frozenset(
    [
        "url",
        "gdrive_user_credentials_file",
        "gdrive_service_account_json_file_path",
        "credentialpath",
        "configpath",
        "keyfile",
        "cert_path",
        "key_path",
        "startup_script",
        "setup_script",
    ]
)
SECRET_KEYS = frozenset(
    [
        "password",
        "passphrase",
        "access_key_id",
        "secret_access_key",
        "session_token",
        "connection_string",
        "sas_token",
        "account_key",
        "client_secret",
        "gdrive_client_secret",
        "oss_key_id",
        "oss_key_secret",
        "token",
        "custom_auth_header",
        "sse_customer_key",
    ]
)

#: What a repository may set (safety §5.2), and what it may set because Modelkeep does not act on it.
FROM_REPO_CORE = frozenset(["remote", "no_scm", "hardlink_lock", "checksum_jobs"])
FROM_REPO_REMOTE = frozenset(
    [
        "url",
        "jobs",
        "checksum_jobs",
        "user",
        "port",
        "timeout",
        "max_sessions",
        "ask_password",
        "ask_passphrase",
        "worktree",
        "version_aware",
        "region",
    ]
)
UNUSED = frozenset(
    [
        "interactive",
        "analytics",
        "experiments",
        "check_update",
        "machine",
        "protected",
        "slow_link_warning",
        "no_traverse",
    ]
)

_WHY = {
    "keyfile": "Which of your keys is used is for you to choose.",
    "gss_auth": "How you log in is for you to choose.",
    "allow_agent": "Whether your SSH agent is used is for you to choose.",
    "verify": "A repository may turn checking on, never off.",
    "ssl_verify": "A repository may turn checking on, never off.",
    "use_ssl": "A repository may turn checking on, never off.",
    "dir": "Only you may choose a cache outside of the project.",
    "type": "Links into the cache let a program damage it; only you may choose them.",
    "shared": "Who else may change the cache is for you to choose.",
    "bearer_token_command": "A repository never chooses a command that is run.",
    "configpath": "The file can name a command that is run.",
    "endpointurl": "Your own credentials would go to a server that the repository chooses.",
    "profile": "Which of your credentials are used is for you to choose.",
    "proxy_to": "A repository never chooses a proxy.",
    "data_proxy_target": "A repository never chooses a proxy.",
}
_WHY |= dict.fromkeys(
    (
        "credentialpath",
        "cert_path",
        "key_path",
        "kerb_ticket",
        "gdrive_user_credentials_file",
        "gdrive_service_account_json_file_path",
    ),
    "Which of your files is used to log in is for you to choose.",
)


def why_ignored(kind: str, key: str) -> str:
    """Why a repository may not set `key` in a section of this kind, in one sentence for people."""
    if kind == "core":
        return "This is a choice of yours, not of the repository."
    return _WHY.get(key, "A repository may not set this; only you may, in your own configuration.")
