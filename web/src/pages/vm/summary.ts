import type { Attributes } from '../../api/types';
import { bytes } from '../../parts/format';

const join = (...parts: unknown[]): string => parts.filter((part) => part !== null && part !== undefined && part !== '').join(', ');

/** A device in one line. */
export function summary(attributes: Attributes): string {
  switch (attributes.dtype) {
    case 'DISK':
      return join(String(attributes.path ?? '').replace('/dev/zvol/', ''), attributes.type);
    case 'RAW':
      return join(attributes.path, attributes.size ? bytes(Number(attributes.size)) : null, attributes.type);
    case 'CDROM':
      return String(attributes.path);
    case 'NIC':
      return join(attributes.nic_attach === 'user' ? 'NAT' : attributes.nic_attach, attributes.mac, attributes.type);
    case 'DISPLAY':
      return join(attributes.type, `${attributes.bind}:${attributes.port}`, attributes.resolution);
    case 'PCI':
      return String(attributes.pptdev);
    case 'USB': {
      const usb = attributes.usb as { vendor_id: string; product_id: string } | null;
      return join(attributes.device ?? (usb ? `${usb.vendor_id}:${usb.product_id}` : null), attributes.controller_type);
    }
  }
}
