"""Everything the CSS serves to applications and administrators."""

from __future__ import annotations

from common.rest.openapi import administration as common_administration
from common.rest.openapi import events, lists, objects, service, webhooks
from common.rest.openapi.model import Description, Tag
from css.api.openapi import administration, enrolments, groups, nodes, quotas

_TAGS = (
    Tag(objects.TAG, "One object: metadata, data, where it went, what applications did with it."),
    Tag(events.TAG, "What arrived for applications of the cloud: polled, waited for, or as a stream."),
    Tag(lists.TAG, "Many objects, by type, policy or filter."),
    Tag(webhooks.TAG, "URLs that are called when data has arrived, and the queues behind them."),
    Tag(nodes.TAG, "The edges that are registered."),
    Tag(enrolments.TAG, "How edges get certificates, and how they lose them."),
    Tag(groups.GROUPS, "Named sets of nodes that objects can be addressed to."),
    Tag(groups.LABELS, "What nodes are like, and who places objects by it."),
    Tag(administration.ORGANIZATIONS, "The tenants of this cloud."),
    Tag(administration.SECURITY, "Which users and nodes may read and write what."),
    Tag(quotas.TAG, "What each tenant keeps, and the most it may."),
    Tag(common_administration.ACCOUNTS, "Who may call."),
    Tag(common_administration.AUDIT, "Who changed what."),
    Tag(service.TAG, "The service itself."),
)


def describe() -> Description:
    """The description."""
    return Description(
        "Cloud Sync Service",
        "Keeps objects in step between the cloud and its edges. HEAD is answered wherever GET is; query values that "
        "are empty count as absent.",
        _TAGS,
        (
            *objects.object_operations(is_cloud=True),
            *events.arrival_operations(is_cloud=True),
            *lists.organization_lists(),
            *webhooks.webhook_operations(is_cloud=True),
            *nodes.node_operations(),
            *enrolments.enrolment_operations(),
            *groups.group_operations(),
            *groups.label_operations(),
            *administration.organization_operations(),
            *administration.access_list_operations(),
            *quotas.quota_operations(),
            *common_administration.account_operations(is_cloud=True),
            *common_administration.audit_operations(is_cloud=True),
            *service.service_operations(is_cloud=True),
        ),
    )
