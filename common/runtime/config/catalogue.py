"""Every key a configuration file may hold: the settings by concern, and those that do nothing any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.runtime.config.enrolment import Enrolment
from common.runtime.config.identity import Authentication, Identity
from common.runtime.config.limits import Limits
from common.runtime.config.link import Link
from common.runtime.config.listening import Listening
from common.runtime.config.load import Load
from common.runtime.config.log_output import Logging
from common.runtime.config.oidc import OidcSettings
from common.runtime.config.quotas import QuotaSettings
from common.runtime.config.storage import Storage
from common.runtime.config.webhooks import WebhookSettings

GROUPS: tuple[type[Any], ...] = (
    Identity,
    Authentication,
    OidcSettings,
    Listening,
    Storage,
    Link,
    Enrolment,
    WebhookSettings,
    Limits,
    Load,
    QuotaSettings,
    Logging,
)


@dataclass(frozen=True, slots=True)
class WithoutEffect:
    """A key of the reference service that is accepted, warned about, and does nothing."""

    key: str
    variable: str
    reason: str = ""
    aliases: tuple[str, ...] = ()


_MQTT = "CommunicationProtocol is http"
_MONGO = "StorageProvider postgres with DatabaseURL takes the place of MongoDB"
_WATSON = "the Watson IoT Platform is discontinued"
_TIMETABLE = "objects are activated and expire when their time comes"
_QUEUES = "work is queued in the database"
_TRACE = "there is one log; LogLevel and LogTraceDestination set it up"

WITHOUT_EFFECT: tuple[WithoutEffect, ...] = (
    WithoutEffect("CSSOnWIoTP", "CSS_ON_WIOTP", _WATSON),
    WithoutEffect("UsingEdgeConnector", "USING_EDGE_CONNECTOR", _WATSON),
    WithoutEffect("EnableDataChunk", "ENABLE_DATA_CHUNK", "data is always sent in pieces"),
    WithoutEffect("MaxInflightChunks", "MAX_INFLIGHT_CHUNKS", _MQTT),
    WithoutEffect("ResendInterval", "RESEND_INTERVAL", "what is unanswered is offered again with growing pauses"),
    WithoutEffect("ESSPingInterval", "ESS_PING_INTERVAL", "every poll is a sign of life"),
    WithoutEffect(
        "ESSCallSPIRetryInterval", "ESS_CALL_SPI_RETRY_INTERVAL", "the link is tried again with growing pauses"
    ),
    WithoutEffect("RemoveESSRegistrationTime", "REMOVE_ESS_REGISTRATION_TIME", "registrations are kept"),
    WithoutEffect("ObjectActivationInterval", "OBJECT_ACTIVATION_INTERVAL", _TIMETABLE),
    WithoutEffect("MQTTClientID", "MQTT_CLIENT_ID", _MQTT, ("MQTTClientId",)),
    WithoutEffect("MQTTUserName", "MQTT_USER_NAME", _MQTT),
    WithoutEffect("MQTTPassword", "MQTT_PASSWORD", _MQTT),
    WithoutEffect("MQTTUseSSL", "MQTT_USE_SSL", _MQTT),
    WithoutEffect("MQTTCACertificate", "MQTT_CA_CERTIFICATE", _MQTT),
    WithoutEffect("MQTTSSLCert", "MQTT_SSL_CERT", _MQTT),
    WithoutEffect("MQTTSSLKey", "MQTT_SSL_KEY", _MQTT),
    WithoutEffect("MQTTAllowInvalidCertificates", "MQTT_ALLOW_INVALID_CERTIFICATES", _MQTT),
    WithoutEffect("MQTTPinnedCertFingerprints", "MQTT_PINNED_CERT_FINGERPRINTS", _MQTT),
    WithoutEffect("MQTTCertificatePinningFingerprints", "MQTT_CERTIFICATE_PINNING_FINGERPRINTS", _MQTT),
    WithoutEffect("MQTTBrokerConnectTimeout", "MQTT_BROKER_CONNECT_TIMEOUT", _MQTT),
    WithoutEffect("MQTTParallelMode", "PARALLEL_MQTT_MODE", _MQTT),
    WithoutEffect("BrokerAddress", "BROKER_ADDRESS", _MQTT),
    WithoutEffect("BrokerPort", "BROKER_PORT", _MQTT),
    WithoutEffect("MessagingGroupCacheExpiration", "MESSAGING_GROUP_CACHE_EXPIRATION", _WATSON),
    WithoutEffect("ESSSPIMaxRetry", "ESSSPIMaxRetry", "requests to the CSS are tried until they succeed"),
    WithoutEffect("AllowPrivateIPs", "ALLOW_PRIVATE_IPS", "WebhookAllowedNetworks says where webhooks may be"),
    WithoutEffect("ObjectsDataPath", "OBJECTS_DATA_PATH", "payloads are kept below PersistenceRootPath"),
    WithoutEffect(
        "AllowedDataFileExtensions", "ALLOWED_DATA_FILE_EXTENSIONS", "DataFilesPath says which files may be named"
    ),
    WithoutEffect("StorageMaintenanceInterval", "STORAGE_MAINTENANCE_INTERVAL", _TIMETABLE),
    WithoutEffect("ObjectQueueBufferSize", "OBJECT_QUEUE_BUFFER_SIZE", _QUEUES),
    WithoutEffect("VerifyQueueBufferSize", "VERIFY_QUEUE_BUFFER_SIZE", _QUEUES),
    WithoutEffect("DatabaseConnectTimeout", "DATABASE_CONNECT_TIMEOUT", _MONGO),
    WithoutEffect("MongoAddressCsv", "MONGO_ADDRESS_CSV", _MONGO),
    WithoutEffect("MongoAuthMechanism", "MONGO_AUTH_MECHANISM", _MONGO),
    WithoutEffect("MongoAuthDbName", "MONGO_AUTH_DB_NAME", _MONGO),
    WithoutEffect("MongoDbName", "MONGO_DB_NAME", _MONGO),
    WithoutEffect("MongoUsername", "MONGO_USERNAME", _MONGO),
    WithoutEffect("MongoPassword", "MONGO_PASSWORD", _MONGO),
    WithoutEffect("MongoUseSSL", "MONGO_USE_SSL", _MONGO),
    WithoutEffect("MongoCACertificate", "MONGO_CA_CERTIFICATE", _MONGO),
    WithoutEffect("MongoAllowInvalidCertificates", "MONGO_ALLOW_INVALID_CERTIFICATES", _MONGO),
    WithoutEffect("MongoPinnedCertFingerprints", "MONGO_PINNED_CERT_FINGERPRINTS", _MONGO),
    WithoutEffect("MongoDBCertificatePinningFingerprints", "MONGODB_CERTIFICATE_PINNING_FINGERPRINTS", _MONGO),
    WithoutEffect("MongoSessionCacheSize", "MONGO_SESSION_CACHE_SIZE", _MONGO),
    WithoutEffect("MongoSleepTimeBetweenRetry", "MONGO_SLEEP_TIME_BETWEEN_RETRY", _MONGO),
    WithoutEffect("LeadershipTimeout", "LEADERSHIP_TIMEOUT", "replicas need no leader"),
    WithoutEffect("AllowedCertificateExtensions", "ALLOWED_CERTIFICATE_EXTENSIONS"),
    WithoutEffect("AllowedKeyExtensions", "ALLOWED_KEY_EXTENSIONS"),
    WithoutEffect("TraceLevel", "TRACE_LEVEL", _TRACE),
    WithoutEffect("TraceRootPath", "TRACE_ROOT_PATH", _TRACE),
    WithoutEffect("TraceFileName", "TRACE_FILE_NAME", _TRACE),
    WithoutEffect(
        "LogTraceMaintenanceInterval", "LOG_TRACE_MAINTENANCE_INTERVAL", "the size is checked with every line"
    ),
)
