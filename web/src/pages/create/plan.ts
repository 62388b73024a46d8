/** From the wizard's answers to the calls that make the VM: what is shown is what is done. */
import type { Attributes } from '../../api/types';

export type Preset = 'linux' | 'windows11' | 'windows' | 'other';
export type Source = 'iso' | 'image' | 'empty';

export interface Answers {
  preset: Preset;
  name: string;
  description: string;
  source: Source;
  path: string;
  vcpus: number;
  cores: number;
  memory: number;
  disk: number;
  pool: string;
  nic: string | null;
  display: 'SPICE' | 'VNC' | null;
  resolution: string;
  autostart: boolean;
  start: boolean;
}

const GIB = 2 ** 30;

interface Defaults {
  cores: number;
  memory: number;
  disk: number;
  vm: Record<string, unknown>;
  /** What its installer knows without further drivers. */
  bus: 'VIRTIO' | 'AHCI';
  card: 'VIRTIO' | 'E1000';
}

export const PRESETS: Record<Preset, Defaults> = {
  linux: { cores: 2, memory: 2048, disk: 20 * GIB, vm: { bootloader: 'UEFI', time: 'UTC' }, bus: 'VIRTIO', card: 'VIRTIO' },
  windows11: {
    cores: 2,
    memory: 4096,
    disk: 64 * GIB,
    vm: {
      bootloader: 'UEFI',
      time: 'LOCAL',
      machine_type: 'q35',
      arch_type: 'x86_64',
      enable_secure_boot: true,
      trusted_platform_module: true,
      hyperv_enlightenments: true,
    },
    bus: 'AHCI',
    card: 'E1000',
  },
  windows: {
    cores: 2,
    memory: 4096,
    disk: 40 * GIB,
    vm: { bootloader: 'UEFI', time: 'LOCAL', hyperv_enlightenments: true },
    bus: 'AHCI',
    card: 'E1000',
  },
  other: { cores: 1, memory: 512, disk: 10 * GIB, vm: { bootloader: 'UEFI_CSM', time: 'UTC' }, bus: 'AHCI', card: 'E1000' },
};

export type Doing = 'vm' | 'disk' | 'convert' | 'devices' | 'start';

export interface Step {
  doing: Doing;
  method: string;
  /** `ID` stands for the number of the VM that the first step makes. */
  params: unknown[];
  isJob: boolean;
}

export const ID = '<id>';

const step = (doing: Doing, method: string, params: unknown[], isJob = false): Step => ({ doing, method, params, isJob });
const device = (doing: Doing, attributes: Attributes): Step => step(doing, 'vm.device.create', [{ vm: ID, attributes }]);

/** Images that vm.device.convert takes by their names; others are imported, whatever they are called. */
const CONVERTIBLE = /\.(qcow2|qed|raw|vdi|vhdx|vmdk)$/i;

export function plan(answers: Answers): Step[] {
  const { name, description, vcpus, cores, memory, autostart } = answers;
  const preset = PRESETS[answers.preset];
  const volume = `${answers.pool}/${name}-disk0`;
  const steps = [
    step('vm', 'vm.create', [{ name, ...(description ? { description } : {}), vcpus, cores, threads: 1, memory, autostart, ...preset.vm }]),
    device('disk', { dtype: 'DISK', type: preset.bus, create_zvol: true, zvol_name: volume, zvol_volsize: answers.disk }),
  ];
  if (answers.source === 'image') {
    const copy = CONVERTIBLE.test(answers.path)
      ? step('convert', 'vm.device.convert', [{ source: answers.path, destination: `/dev/zvol/${volume}` }], true)
      : step('convert', 'vm.import_disk_image', [{ diskimg: answers.path, zvol: volume }], true);
    steps.push(copy);
  }
  if (answers.source === 'iso') steps.push(device('devices', { dtype: 'CDROM', path: answers.path }));
  if (answers.nic !== 'none') steps.push(device('devices', { dtype: 'NIC', type: preset.card, nic_attach: answers.nic }));
  if (answers.display) {
    const { display: type, resolution } = answers;
    steps.push(device('devices', { dtype: 'DISPLAY', type, resolution, web: true }));
  }
  if (answers.start) steps.push(step('start', 'vm.start', [ID]));
  return steps;
}

/** The parameters, with the number of the VM in its places. */
export function withId(params: readonly unknown[], id: number): unknown[] {
  return JSON.parse(JSON.stringify(params).replaceAll(JSON.stringify(ID), String(id))) as unknown[];
}

/** A step as it is typed in a shell. */
export function asCommand({ method, params, isJob }: Step): string {
  const words = params.map((param) => (param === ID ? ID : `'${JSON.stringify(param).replaceAll(JSON.stringify(ID), ID)}'`));
  return ['midclt', 'call', ...(isJob ? ['-j'] : []), method, ...words].join(' ');
}
