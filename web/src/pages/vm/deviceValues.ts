/** Between a device's attributes and the form that edits them. */
import type { Attributes, Device, Dtype, Vm } from '../../api/types';
import type { Values } from '../../forms/useForm';

const GIB = 2 ** 30;

const BLOCK = { type: 'VIRTIO', iotype: 'THREADS', serial: null, logical_sectorsize: null, physical_sectorsize: null };

/** What a new device begins with. */
export function fresh(dtype: Dtype, vm: Vm, pool: string): Values {
  const number = vm.devices.filter(({ attributes }) => ['DISK', 'RAW'].includes(attributes.dtype)).length;
  switch (dtype) {
    case 'DISK':
      return { ...BLOCK, create_zvol: true, path: null, zvol_name: `${pool}/${vm.name}-disk${number}`, zvol_volsize: 20 * GIB };
    case 'RAW':
      return { ...BLOCK, exists: false, path: `/mnt/${pool}/${vm.name}-disk${number}.img`, size: 20 * GIB, boot: false };
    case 'CDROM':
      return { path: '' };
    case 'NIC':
      return { type: 'VIRTIO', nic_attach: null, mac: null, trust_guest_rx_filters: false };
    case 'DISPLAY':
      return { type: 'SPICE', resolution: '1024x768', bind: '127.0.0.1', port: null, password: null, web: true, wait: false };
    case 'PCI':
      return { pptdev: null };
    case 'USB':
      return { by: 'device', device: null, vendor_id: '', product_id: '', controller_type: 'qemu-xhci' };
  }
}

/** What a device that is there begins with. */
export function known({ attributes }: Device): Values {
  const { dtype, usb, ...rest } = attributes;
  if (dtype !== 'USB') return rest;
  const ids = usb as { vendor_id: string; product_id: string } | null;
  return { ...rest, by: ids ? 'id' : 'device', vendor_id: ids?.vendor_id ?? '', product_id: ids?.product_id ?? '' };
}

/** The attributes that the form stands for. Empty texts are null to the server. */
export function attributesOf(dtype: Dtype, values: Values): Attributes {
  const given: Values = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, value === '' ? null : value]),
  );
  if (dtype === 'DISK') {
    if (given.create_zvol === true) delete given.path;
    else ['create_zvol', 'zvol_name', 'zvol_volsize'].forEach((name) => delete given[name]);
  }
  if (dtype === 'RAW' && given.exists === true) delete given.size;
  if (dtype === 'USB') {
    const { by, vendor_id, product_id, device, ...rest } = given;
    const isById = by === 'id';
    return { dtype, ...rest, device: isById ? null : device, usb: isById ? { vendor_id, product_id } : null };
  }
  return { dtype, ...given };
}
