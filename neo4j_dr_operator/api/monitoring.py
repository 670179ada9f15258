"""``spec.monitoring``: metrics, and whom to tell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from neo4j_dr_operator.api.base import UNIQUE, SpecModel, rule, rules
from neo4j_dr_operator.api.formats import Email, HostPort, SecretKey, SecretName, WebUrl

AlertEvent = Literal[
    "failover",
    "lag_threshold",
    "health_check_failed",
    "log_shipping_failed",
    "backup_failed",
    "restore",
    "split_brain",
]


class Prometheus(SpecModel):
    """Metrics for Prometheus."""

    enabled: bool = Field(default=True, description="Publish the metrics of this resource.")
    service_monitor: bool = Field(default=False, description="Make a ServiceMonitor where its kind is installed.")


class SecretKeyRef(SpecModel):
    """One key of a Secret in the namespace of the resource."""

    name: SecretName = Field(description="Name of the Secret.")
    key: SecretKey = Field(description="Key in it.")


class Webhook(SpecModel):
    """A URL that is told of events. A URL with a token in it is better kept in a Secret: urlSecret."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.url) != has(self.urlSecret)", "exactly one of url and urlSecret must be given")
        )
    )

    url: WebUrl | None = Field(default=None, description="URL, http or https.")
    url_secret: SecretKeyRef | None = Field(default=None, description="Secret that holds the URL.")
    events: Annotated[list[AlertEvent], Field(max_length=16, json_schema_extra=UNIQUE)] = Field(
        default_factory=list, description="Events it is told of; none means all."
    )


class EmailAlerts(SpecModel):
    """Mail to people."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!self.enabled || (has(self.smtpServer) && self.recipients.size() > 0)",
                "enabled: true needs smtpServer and at least one of recipients",
            )
        )
    )

    enabled: bool = Field(default=False, description="Send mail.")
    recipients: Annotated[list[Email], Field(max_length=64, json_schema_extra=UNIQUE)] = Field(
        default_factory=list, description="Whom to write to."
    )
    sender: Email | None = Field(default=None, description="Address it comes from.")
    smtp_server: HostPort | None = Field(default=None, description="Mail server, host and port; 587 by default.")
    credentials_secret: SecretName | None = Field(
        default=None, description="Secret with the keys username and password, where the server wants them."
    )
    events: Annotated[list[AlertEvent], Field(max_length=16, json_schema_extra=UNIQUE)] = Field(
        default_factory=list, description="Events that mail is sent of; none means all."
    )


class Alerting(SpecModel):
    """Whom to tell."""

    enabled: bool = Field(default=False, description="Tell anybody at all.")
    webhooks: Annotated[list[Webhook], Field(max_length=32)] = Field(
        default_factory=list, description="URLs that are told of events."
    )
    email: EmailAlerts = Field(default_factory=EmailAlerts, description="Mail to people.")


class Monitoring(SpecModel):
    """What is published about this resource."""

    enabled: bool = Field(default=True, description="Publish anything at all.")
    prometheus: Prometheus = Field(default_factory=Prometheus, description="Metrics for Prometheus.")
    alerting: Alerting = Field(default_factory=Alerting, description="Whom to tell.")
