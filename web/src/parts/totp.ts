/** Codes of a second factor, as an app makes them (RFC 6238), to see whether the app was set up rightly. */

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function decode(secret: string): Uint8Array<ArrayBuffer> {
  const bits = [...secret.replaceAll('=', '').toUpperCase()].map((sign) => BASE32.indexOf(sign).toString(2).padStart(5, '0')).join('');
  return Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => parseInt(byte, 2));
}

async function codeAt(key: CryptoKey, interval: number, digits: number): Promise<string> {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setBigUint64(0, BigInt(interval));
  const mac = new DataView(await crypto.subtle.sign('HMAC', key, counter.buffer));
  const number = mac.getUint32(mac.getUint8(mac.byteLength - 1) & 15) & 0x7fffffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** Browsers compute no codes for pages that came over a connection that others can read. */
export const canCompute = (): boolean => window.isSecureContext;

/** Whether an app that was given the address of a QR code shows this now, or did a moment ago, or will in a moment. */
export async function isShown(code: string, uri: string): Promise<boolean> {
  const { searchParams } = new URL(uri);
  const digits = Number(searchParams.get('digits') ?? 6);
  const current = Math.floor(Date.now() / 1000 / Number(searchParams.get('period') ?? 30));
  const algorithm = { name: 'HMAC', hash: 'SHA-1' };
  const key = await crypto.subtle.importKey('raw', decode(searchParams.get('secret') ?? ''), algorithm, false, ['sign']);
  const good = await Promise.all([-1, 0, 1].map((later) => codeAt(key, current + later, digits)));
  return good.includes(code.replaceAll(' ', ''));
}
