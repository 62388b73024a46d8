"""Who may do what: the decision, written down beside the code that carries it out.

A new method, collection or role belongs in here, by hand; ``tests/api/test_rights.py`` fails until it is.
"""

#: Everybody, before login. Making this longer is a decision.
EVERYBODY = """
    auth.login auth.login_ex auth.login_ex_continue auth.login_with_api_key auth.login_with_token
    auth.mechanism_choices
    core.ping core.set_options
    system.advanced.login_banner system.boot_id
    user.has_local_administrator_set_up
"""

#: Everybody who is logged in: what is about the session itself, or looks by itself at whose things it is about.
#: ``api_key.*``: one's own keys, others with API_KEY_WRITE. ``core.download``: what the method in it takes.
#: ``core.bulk``: what the method in it takes. ``core.get_*``: what one may call and subscribe to.
#: ``core.*job*``: one's own jobs, all of them for administrators. ``core.resize_shell``: whose console it is, its
#: id tells. ``user.*``: oneself, others with ACCOUNT_WRITE.
#: ``system.*``, ``vmstead.*``: whom a client talks to, which it must find out whatever it may do.
LOGGED_IN = """
    api_key.create api_key.delete api_key.my_keys api_key.update
    auth.generate_token auth.logout auth.me auth.set_attribute
    core.bulk core.download core.get_events core.get_jobs core.get_methods core.get_services core.job_abort
    core.job_download_logs core.job_wait core.resize_shell core.subscribe core.unsubscribe
    system.hostname system.version system.version_short
    user.renew_2fa_secret user.set_password user.unset_2fa_secret
    vmstead.version
"""

#: The role that each other method takes.
METHODS = {
    "VM_READ": """
        system.readiness
        vm.bootloader_options vm.bootloader_ovmf_choices vm.cpu_model_choices vm.flags vm.get_available_memory
        vm.get_console vm.get_display_devices vm.get_display_ticket vm.get_display_web_uri
        vm.get_guest_network_interfaces vm.get_instance vm.get_memory_usage vm.get_screenshot
        vm.get_vm_memory_info vm.get_vmemory_in_use vm.guest_architecture_and_machine_choices
        vm.log_file_download vm.log_file_path vm.maximum_supported_vcpus vm.port_wizard vm.query vm.random_mac
        vm.resolution_choices vm.stats_history vm.status vm.supports_virtualization vm.virtualization_details
    """,
    "VM_WRITE": """
        vm.clone vm.console_log vm.create vm.delete vm.export_disk_image vm.import_disk_image vm.poweroff vm.reset
        vm.restart vm.resume vm.start vm.stop vm.suspend vm.update
    """,
    "VM_DEVICE_READ": """
        vm.device.bind_choices vm.device.disk_choices vm.device.get_instance vm.device.iommu_enabled
        vm.device.iotype_choices vm.device.nic_attach_choices vm.device.passthrough_device
        vm.device.passthrough_device_choices vm.device.pptdev_choices vm.device.query
        vm.device.usb_controller_choices vm.device.usb_passthrough_choices vm.device.usb_passthrough_device
        vm.device.virtual_size
    """,
    "VM_DEVICE_WRITE": "vm.device.convert vm.device.create vm.device.delete vm.device.update",
    "POOL_READ": "pool.get_instance pool.query",
    "DATASET_READ": """
        pool.dataset.get_instance pool.dataset.query pool.dataset.recommended_zvol_blocksize
        pool.filesystem_choices
    """,
    "DATASET_WRITE": "pool.dataset.create pool.dataset.lock pool.dataset.unlock pool.dataset.update",
    "DATASET_DELETE": "pool.dataset.delete",
    "SNAPSHOT_READ": "pool.snapshot.get_instance pool.snapshot.query",
    "SNAPSHOT_WRITE": "pool.snapshot.clone pool.snapshot.create pool.snapshot.rollback",
    "SNAPSHOT_DELETE": "pool.snapshot.delete",
    "FILESYSTEM_ATTRS_READ": "filesystem.listdir filesystem.stat filesystem.statfs",
    "FILESYSTEM_ATTRS_WRITE": "filesystem.chown filesystem.setperm",
    "FILESYSTEM_DATA_READ": "filesystem.get",
    "FILESYSTEM_DATA_WRITE": "filesystem.file_receive filesystem.mkdir filesystem.put",
    "ACCOUNT_READ": """
        group.get_instance group.get_next_gid group.query
        user.get_instance user.get_next_uid user.get_user_obj user.query
    """,
    "ACCOUNT_WRITE": """
        auth.generate_onetime_password
        group.create group.delete group.update
        user.create user.delete user.update
    """,
    "PRIVILEGE_READ": "privilege.get_instance privilege.query privilege.roles",
    "PRIVILEGE_WRITE": "privilege.create privilege.delete privilege.update",
    "API_KEY_READ": "api_key.get_instance api_key.query",
    "AUTH_SESSIONS_READ": "auth.sessions",
    "AUTH_SESSIONS_WRITE": "auth.terminate_other_sessions auth.terminate_session",
    "SYSTEM_SECURITY_READ": "auth.twofactor.config",
    "SYSTEM_SECURITY_WRITE": "auth.twofactor.update",
    "SYSTEM_AUDIT_READ": "audit.config audit.download_report audit.export audit.query",
    "SYSTEM_AUDIT_WRITE": "audit.update",
    "ALERT_LIST_READ": "alert.list",
    "ALERT_LIST_WRITE": "alert.dismiss alert.restore",
    "DISK_READ": "disk.get_instance disk.query",
    "FAILOVER_READ": "failover.licensed failover.node failover.status",
    "HOST_POWER": "system.reboot system.shutdown",
    "NETWORK_GENERAL_READ": "network.configuration.config network.general.summary",
    "NETWORK_INTERFACE_READ": "interface.get_instance interface.query",
    "READONLY_ADMIN": "system.host_id system.info",
    "REPORTING_READ": "reporting.host_history",
    "SERVICE_READ": "service.get_instance service.query",
    "SYSTEM_ADVANCED_READ": "system.advanced.config system.advanced.get_gpu_pci_choices",
    "SYSTEM_GENERAL_READ": """
        system.general.config system.ntpserver.get_instance system.ntpserver.query system.ready system.state
    """,
    "SYSTEM_PRODUCT_READ": """
        system.feature_enabled system.product_type truenas.is_ix_hardware truenas.managed_by_truecommand
    """,
}

#: The role that subscribing to each collection takes; None: a login.
COLLECTIONS = {
    "vm.query": "VM_READ",
    "vm.device.query": "VM_DEVICE_READ",
    "user.query": "ACCOUNT_READ",
    "group.query": "ACCOUNT_READ",
    "privilege.query": "PRIVILEGE_READ",
    "api_key.query": "API_KEY_READ",
    "auth.sessions": "AUTH_SESSIONS_READ",
    "alert.list": "ALERT_LIST_READ",
    "pool.dataset.query": "DATASET_READ",
    "pool.snapshot.query": "SNAPSHOT_READ",
    "reporting.realtime": "REPORTING_READ",
    "vm.stats": "VM_READ",
    "system.reboot": "SYSTEM_GENERAL_READ",
    "system.shutdown": "SYSTEM_GENERAL_READ",
    "core.get_jobs": None,
}

#: The role that a serial console takes.
CONSOLE = "VM_WRITE"

#: What each role allows, itself included: the roles that methods and collections above take.
ROLES = {
    "VM_READ": "VM_READ",
    "VM_WRITE": "VM_WRITE VM_READ",
    "VM_DEVICE_READ": "VM_DEVICE_READ VM_READ",
    "VM_DEVICE_WRITE": "VM_DEVICE_WRITE VM_DEVICE_READ VM_WRITE VM_READ",
    # Asked for by vm.create and vm.update where arguments for QEMU change.
    "VM_COMMAND_LINE_ARGS": "VM_COMMAND_LINE_ARGS",
    "POOL_READ": "POOL_READ",
    "DATASET_READ": "DATASET_READ",
    "DATASET_WRITE": "DATASET_WRITE DATASET_READ",
    "DATASET_DELETE": "DATASET_DELETE",
    "SNAPSHOT_READ": "SNAPSHOT_READ",
    "SNAPSHOT_WRITE": "SNAPSHOT_WRITE SNAPSHOT_READ",
    "SNAPSHOT_DELETE": "SNAPSHOT_DELETE",
    "FILESYSTEM_ATTRS_READ": "FILESYSTEM_ATTRS_READ",
    "FILESYSTEM_ATTRS_WRITE": "FILESYSTEM_ATTRS_WRITE FILESYSTEM_ATTRS_READ",
    "FILESYSTEM_DATA_READ": "FILESYSTEM_DATA_READ",
    "FILESYSTEM_DATA_WRITE": "FILESYSTEM_DATA_WRITE FILESYSTEM_DATA_READ FILESYSTEM_ATTRS_READ",
    "ACCOUNT_READ": "ACCOUNT_READ",
    "ACCOUNT_WRITE": "ACCOUNT_WRITE ACCOUNT_READ",
    "PRIVILEGE_READ": "PRIVILEGE_READ",
    "PRIVILEGE_WRITE": "PRIVILEGE_WRITE PRIVILEGE_READ",
    "API_KEY_READ": "API_KEY_READ",
    "API_KEY_WRITE": "API_KEY_WRITE API_KEY_READ",
    "AUTH_SESSIONS_READ": "AUTH_SESSIONS_READ",
    "AUTH_SESSIONS_WRITE": "AUTH_SESSIONS_WRITE AUTH_SESSIONS_READ",
    "SYSTEM_SECURITY_READ": "SYSTEM_SECURITY_READ",
    "SYSTEM_SECURITY_WRITE": "SYSTEM_SECURITY_WRITE SYSTEM_SECURITY_READ",
    "SYSTEM_AUDIT_READ": "SYSTEM_AUDIT_READ",
    "SYSTEM_AUDIT_WRITE": "SYSTEM_AUDIT_WRITE SYSTEM_AUDIT_READ",
    "ALERT_LIST_READ": "ALERT_LIST_READ",
    "ALERT_LIST_WRITE": "ALERT_LIST_WRITE ALERT_LIST_READ",
    "DISK_READ": "DISK_READ",
    "FAILOVER_READ": "FAILOVER_READ",
    "HOST_POWER": "HOST_POWER",
    "NETWORK_GENERAL_READ": "NETWORK_GENERAL_READ",
    "NETWORK_INTERFACE_READ": "NETWORK_INTERFACE_READ",
    "REPORTING_READ": "REPORTING_READ",
    "SERVICE_READ": "SERVICE_READ",
    "SYSTEM_ADVANCED_READ": "SYSTEM_ADVANCED_READ",
    "SYSTEM_GENERAL_READ": "SYSTEM_GENERAL_READ",
    "SYSTEM_PRODUCT_READ": "SYSTEM_PRODUCT_READ",
    # Everything that only looks. Not FILESYSTEM_DATA_READ: a disk image is all that its guest knows.
    "READONLY_ADMIN": """
        READONLY_ADMIN VM_READ VM_DEVICE_READ POOL_READ DATASET_READ SNAPSHOT_READ FILESYSTEM_ATTRS_READ
        ACCOUNT_READ PRIVILEGE_READ API_KEY_READ AUTH_SESSIONS_READ SYSTEM_SECURITY_READ SYSTEM_AUDIT_READ
        ALERT_LIST_READ DISK_READ FAILOVER_READ NETWORK_GENERAL_READ NETWORK_INTERFACE_READ REPORTING_READ
        SERVICE_READ SYSTEM_ADVANCED_READ SYSTEM_GENERAL_READ SYSTEM_PRODUCT_READ
    """,
}

#: Changing calls that are not recorded in the audit trail, and why.
NOT_RECORDED = {
    "auth.generate_token": "it changes nothing that lasts; what is done with the token is recorded",
    "auth.login": "logins have entries of their own",
    "auth.logout": "logouts have entries of their own",
    "auth.set_attribute": "what clients keep for themselves",
    "core.bulk": "each of the calls is recorded",
    "core.download": "it reads; a method that changes something records that itself",
    "core.resize_shell": "of the viewer only",
    "core.set_options": "of the connection only",
    "core.subscribe": "of the connection only",
    "core.unsubscribe": "of the connection only",
    "vm.console_log": "it reads; guests may have shown what only they who write to them are to see",
}


def role_of(method: str) -> str | None:
    """The role that the table has for a method; "" for those that are for everybody."""
    if method in EVERYBODY.split():
        return ""
    if method in LOGGED_IN.split():
        return None
    return next((role for role, names in METHODS.items() if method in names.split()), "NOT IN THE TABLE")


def allowed(role: str) -> frozenset[str]:
    """The roles that the table has for a role."""
    return frozenset(ROLES[role].split())
