"""Sizes and places: what keeps the tree one that can be read."""

import ast
import re

from tests.arch.source import PACKAGE, ROOT, functions, modules, name_of, tree

FILE_LINES = 400
FUNCTION_LINES = 60


def test_no_file_is_longer_than_one_idea() -> None:
    files = [path for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*.py")]
    too_long = {
        name_of(path): lines
        for path in files
        if (lines := len(path.read_text().splitlines())) > FILE_LINES and "tests/api" not in name_of(path)
    }
    assert too_long == {}


def test_no_function_is_longer_than_a_screen() -> None:
    too_long = {
        f"{name_of(path)}:{function.name}": length
        for path in modules()
        for function in functions(path)
        if (length := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES
    }
    assert too_long == {}


def test_what_a_device_type_is_stays_in_its_file() -> None:
    """A comparison with a type's name elsewhere means that a second place must be edited with each new type."""
    pattern = re.compile(r"dtype\"?\]?\s*[!=]=|==\s*\"(DISK|RAW|CDROM|NIC|DISPLAY|PCI|USB)\"")
    allowed = {
        # A VM has a display when it has a device of that type: the contract's own words.
        "src/vmstead/vm/entries.py",
        "src/vmstead/cli/demo.py",
    }
    found = {
        name_of(path)
        for path in modules()
        if "devices/" not in name_of(path) and pattern.search(path.read_text())
    }
    assert found - allowed == set()


def test_every_public_thing_says_what_it_is_for() -> None:
    silent = []
    for path in modules():
        module = tree(path)
        if not ast.get_docstring(module):
            silent.append(name_of(path))
        for node in module.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if not node.name.startswith("_") and not ast.get_docstring(node):
                silent.append(f"{name_of(path)}:{node.name}")
    assert [name for name in silent if "/demo/guest/" not in name] == []


#: Modules whose behaviour shows only together with others, and the tests that show it.
TESTED_ELSEWHERE = {
    "adapters/_sparse.py": "tests/contract/test_volumes.py",
    "adapters/_bounded.py": "tests/unit/adapters/test_console_files.py",
    "kernel/console_viewer.py": "tests/unit/kernel/test_consoles.py",
    "ports/console_logs.py": "tests/unit/adapters/test_console_files.py",
    "vm/console_log.py": "tests/api/test_console.py",
    "cli/reference.py": "tests/unit/reference/test_openrpc.py",
    "reference/collections.py": "tests/unit/reference/test_openrpc.py",
    "reference/examples.py": "tests/unit/reference/test_openrpc.py",
    "reference/meta.py": "tests/api/test_catalogue.py",
    "system/catalogue.py": "tests/api/test_catalogue.py",
    "reference/markdown.py": "tests/unit/reference/test_openrpc.py",
    "reference/page.py": "tests/unit/reference/test_openrpc.py",
    "vm/shapes.py": "tests/api/test_docs.py",
    "vm/recovery.py": "tests/api/test_recovery.py",
    "vm/clone.py": "tests/api/test_clone.py",
    "vm/reconcile.py": "tests/api/test_reconcile.py",
    "vm/device_changes.py": "tests/api/test_reconcile.py",
    "adapters/private_libvirtd.py": "tests/contract/test_daemon.py",
    "vm/xml.py": "tests/golden/test_golden.py",
    "cli/demo.py": "tests/guest/test_demo.py",
    "demo/guest.py": "tests/guest/test_demo_guest.py",
    "app.py": "tests/api",
    "wiring.py": "tests/api",
    "surface.py": "tests/api/test_catalogue.py",
    "ctx.py": "tests/api",
    "cli/doctor.py": "tests/e2e/test_commands.py",
    "cli/accounts.py": "tests/e2e/test_accounts.py",
    "cli/main.py": "tests/e2e/test_commands.py",
    "cli/midclt.py": "tests/e2e/test_midclt.py",
    "cli/options.py": "tests/e2e/test_commands.py",
    "cli/serve.py": "tests/e2e/test_server.py",
    "cli/settings.py": "tests/e2e/test_commands.py",
    "cli/lazy.py": "tests/unit/cli/test_completion.py",
    "cli/verbs/naming.py": "tests/unit/cli/test_completion.py",
    "cli/verbs/vm.py": "tests/unit/cli/test_manual.py",
    "cli/console.py": "tests/unit/client/test_console.py",
    "system/accounts.py": "tests/api/test_auth.py",
    "system/auth.py": "tests/api/test_auth.py",
    "system/core.py": "tests/api/test_jobs.py",
    "system/login.py": "tests/api/test_auth.py",
    "system/user_info.py": "tests/api/test_auth.py",
    "system/sessions.py": "tests/api/test_sessions.py",
    "store/archive.py": "tests/unit/store/test_backup.py",
    "store/restore.py": "tests/unit/store/test_backup.py",
    "cli/backup.py": "tests/e2e/test_backup.py",
    "store/files.py": "tests/unit/store/test_soundness.py",
    "rpc/sessions.py": "tests/api/test_sessions.py",
    "system/twofactor.py": "tests/api/test_twofactor.py",
    "system/user_secrets.py": "tests/api/test_twofactor.py",
    "system/users.py": "tests/api/test_users.py",
    "system/user_entries.py": "tests/api/test_users.py",
    "system/groups.py": "tests/api/test_groups.py",
    "system/privileges.py": "tests/api/test_groups.py",
    "system/rights.py": "tests/api/test_users.py",
    "system/account_events.py": "tests/api/test_users.py",
    "system/api_keys.py": "tests/api/test_api_keys.py",
    "system/audit.py": "tests/api/test_audit.py",
    "cli/api_keys.py": "tests/e2e/test_accounts.py",
    "cli/tables.py": "tests/e2e/test_accounts.py",
    "vm/choices.py": "tests/api/test_choices.py",
    "vm/display.py": "tests/api/test_display.py",
    "vm/memory_info.py": "tests/api/test_info.py",
    "vm/images.py": "tests/api/test_images.py",
    "adapters/qemu_img.py": "tests/api/test_images.py",
    "adapters/image_output.py": "tests/api/test_images.py",
    "ports/images.py": "tests/api/test_images.py",
    "vm/usage.py": "tests/api/test_images.py",
    "kernel/job.py": "tests/unit/kernel/test_jobs.py",
    "kernel/measuring.py": "tests/api/test_reporting.py",
    "vm/stats.py": "tests/api/test_reporting.py",
    "adapters/places.py": "tests/contract/test_volumes.py",
    "adapters/pool_files.py": "tests/api/test_filesystem.py",
    "ports/files.py": "tests/api/test_filesystem.py",
    "storage/filesystem.py": "tests/api/test_filesystem.py",
    "storage/permissions.py": "tests/api/test_permissions.py",
    "storage/events.py": "tests/api/test_events.py",
    "storage/errors.py": "tests/api/test_filesystem.py",
    "system/transfer.py": "tests/api/test_transfer.py",
    "system/alert.py": "tests/api/test_alerts.py",
    "system/disk.py": "tests/api/test_host_hardware.py",
    "system/rows.py": "tests/api/test_host_hardware.py",
    "system/info.py": "tests/api/test_system.py",
    "system/network.py": "tests/api/test_host_network.py",
    "system/product.py": "tests/api/test_system.py",
    "system/service.py": "tests/api/test_host_hardware.py",
    "system/settings.py": "tests/api/test_system.py",
    "web/transfer.py": "tests/api/test_transfer.py",
    "web/caller.py": "tests/api/test_transfer.py",
    "web/metrics.py": "tests/api/test_metrics.py",
    "web/health.py": "tests/api/test_metrics.py",
    "ports/readiness.py": "tests/unit/adapters/test_readiness.py",
    "system/readiness.py": "tests/api/test_readiness.py",
    "web/display.py": "tests/api/test_display_page.py",
    "kernel/viewers.py": "tests/api/test_display_page.py",
    "adapters/libvirt_engine/displays.py": "tests/guest/test_display_page.py",
    "adapters/all_pools.py": "tests/contract/test_pools.py",
    "adapters/names.py": "tests/contract/test_volumes.py",
    "adapters/zfs/base.py": "tests/contract/test_pools.py",
    "adapters/zfs/removal.py": "tests/unit/adapters/zfs/test_volumes.py",
    "adapters/fake_zfs/keys.py": "tests/unit/adapters/fake_zfs/test_zfs.py",
    "adapters/fake_zfs/machine.py": "tests/unit/adapters/fake_zfs/test_zfs.py",
    "adapters/fake_zfs/model.py": "tests/unit/adapters/fake_zfs/test_zfs.py",
    "adapters/fake_zfs/options.py": "tests/unit/adapters/fake_zfs/test_zfs.py",
    "adapters/fake_zfs/output.py": "tests/unit/adapters/fake_zfs/test_zfs.py",
    "storage/attachments.py": "tests/api/test_zfs.py",
    "storage/encryption.py": "tests/api/test_zfs.py",
    "adapters/dir_pools.py": "tests/contract/test_pools.py",
    "adapters/dataset_notes.py": "tests/api/test_pool.py",
    "ports/pools.py": "tests/api/test_pool.py",
    "storage/pool.py": "tests/api/test_pool.py",
    "storage/dataset.py": "tests/api/test_pool.py",
    "storage/snapshot.py": "tests/api/test_pool.py",
    "vm/startable.py": "tests/api/test_startable.py",
    "vm/halting.py": "tests/api/test_pool.py",
    "vm/hardware.py": "tests/api/test_startable.py",
    "vm/holding.py": "tests/api/test_lifecycle.py",
    "vm/host_power.py": "tests/api/test_host_power.py",
    "vm/crud.py": "tests/api/test_vm.py",
    "vm/device.py": "tests/api/test_device.py",
    "vm/events.py": "tests/api/test_events.py",
    "vm/info.py": "tests/api/test_info.py",
    "vm/lifecycle.py": "tests/api/test_lifecycle.py",
    "vm/engine_calls.py": "tests/api/test_lifecycle.py",
    "web/application.py": "tests/api/test_wire.py",
    "web/console.py": "tests/api/test_console.py",
    "web/peer.py": "tests/api/test_auth.py",
    "web/server.py": "tests/api/test_wire.py",
    "web/session.py": "tests/api/test_wire.py",
    "web/same_site.py": "tests/api/test_same_site.py",
    "web/tls_listener.py": "tests/api/test_tls.py",
    "rpc/dispatch.py": "tests/api/test_wire.py",
    "editions.py": "tests/api/test_versions.py",
    "rpc/session.py": "tests/api/test_jobs.py",
    "ports/counters.py": "tests/unit/kernel/test_figures.py",
    "ports/engine.py": "tests/contract",
    "ports/hardware.py": "tests/unit/devices/test_pci.py",
    "ports/host.py": "tests/contract",
    "ports/disks.py": "tests/contract",
    "ports/machine.py": "tests/contract",
    "ports/network.py": "tests/contract",
    "ports/volumes.py": "tests/contract",
    "adapters/keeper.py": "tests/contract/test_engines.py",
    "adapters/libvirt_engine/networks.py": "tests/contract/test_nat_networks.py",
    "adapters/memory_networks.py": "tests/contract/test_nat_networks.py",
    "ports/networks.py": "tests/contract/test_nat_networks.py",
    "adapters/host_network.py": "tests/contract/test_host_network.py",
    "adapters/fake_host_network.py": "tests/contract/test_host_network.py",
    "ports/host_network.py": "tests/contract/test_host_network.py",
    "cli/network.py": "tests/e2e/test_network_nat.py",
    "cli/audited.py": "tests/e2e/test_accounts.py",
    "adapters/libvirt_engine/engine.py": "tests/contract/test_engines.py",
    "adapters/libvirt_engine/agent.py": "tests/guest/test_agent.py",
    "adapters/libvirt_engine/capabilities.py": "tests/contract/test_engines.py",
    "adapters/libvirt_engine/definitions.py": "tests/contract/test_engines.py",
    "adapters/libvirt_engine/console.py": "tests/contract/test_engines.py",
    "adapters/libvirt_engine/target.py": "tests/contract/test_engines.py",
    "adapters/dir_volumes.py": "tests/contract/test_volumes.py",
    "adapters/memory_engine.py": "tests/contract/test_engines.py",
}


def test_every_module_has_its_tests() -> None:
    missing = []
    for path in modules():
        name = path.relative_to(PACKAGE)
        own = ROOT / "tests/unit" / name.parent / f"test_{name.stem.lstrip('_')}.py"
        elsewhere = TESTED_ELSEWHERE.get(str(name))
        there = own.exists() or (elsewhere is not None and (ROOT / elsewhere).exists())
        # The client and the query language are tested by what they do rather than file by file.
        if not there and name.parts[0] not in ("client", "query"):
            missing.append(str(name))
    assert missing == []


def test_nothing_is_excused_that_is_not_there() -> None:
    assert [name for name in TESTED_ELSEWHERE if not (PACKAGE / name).exists()] == []
