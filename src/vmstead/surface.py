"""Everything that clients can call and be told of."""

from vmstead.kernel.jobs import COLLECTION
from vmstead.rpc.registry import Namespace
from vmstead.rpc.sources import Source
from vmstead.storage import dataset, encryption, filesystem, permissions, pool, snapshot
from vmstead.storage import events as storage_events
from vmstead.system import (
    account_events,
    alert,
    api_keys,
    audit,
    auth,
    bulk,
    catalogue,
    core,
    disk,
    groups,
    network,
    privileges,
    product,
    reporting,
    service,
    sessions,
    settings,
    transfer,
    twofactor,
    user_secrets,
    users,
)
from vmstead.system import info as system_info
from vmstead.system import readiness as host_readiness
from vmstead.vm import (
    choices,
    clone,
    console_log,
    crud,
    device,
    display,
    events,
    guest_network,
    host_power,
    images,
    info,
    lifecycle,
    memory_info,
    stats,
)

#: All that clients can call. A module has a namespace of its own; several may share a name.
NAMESPACES: list[Namespace] = [
    crud.vm,
    clone.vm,
    lifecycle.vm,
    info.vm,
    console_log.vm,
    memory_info.vm,
    guest_network.vm,
    stats.vm,
    display.vm,
    device.vm_device,
    choices.vm_device,
    images.vm,
    images.vm_device,
    filesystem.filesystem,
    permissions.filesystem,
    pool.pool,
    dataset.pool_dataset,
    encryption.pool_dataset,
    snapshot.pool_snapshot,
    auth.auth,
    sessions.auth,
    twofactor.twofactor,
    users.user,
    user_secrets.user,
    groups.group,
    privileges.privilege,
    api_keys.api_key,
    audit.audit,
    core.core,
    bulk.core,
    catalogue.core,
    transfer.core,
    product.system,
    product.failover,
    product.truenas,
    product.vmstead,
    system_info.system,
    settings.general,
    settings.advanced,
    settings.ntpserver,
    network.interface,
    network.general,
    network.configuration,
    disk.disk,
    service.service,
    host_power.system,
    alert.alert,
    reporting.reporting,
    host_readiness.system,
]

#: Collections with arguments, which are told of while somebody has subscribed.
SOURCES: list[Source] = [reporting.REALTIME, stats.STATS]

#: What subscribing takes, for every collection.
EVENT_ROLES: dict[str, str | None] = {
    **events.ROLES,
    **host_power.ROLES,
    **alert.ROLES,
    **storage_events.ROLES,
    **account_events.ROLES,
    COLLECTION: None,
    **{each.name: each.role for each in SOURCES},
}
