/** Files over HTTP: up with progress, down as the browser does it. */
import { connection } from './connection';

/** Put a file to a path of a pool; `progress` is told the part that is sent, 0 to 1. */
export async function upload(
  file: File,
  path: string,
  progress: (part: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const token = await connection.call<string>('auth.generate_token', 600, {}, true, true);
  const form = new FormData();
  form.append('data', JSON.stringify({ method: 'filesystem.put', params: [path] }));
  form.append('file', file);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', '/_upload');
    request.setRequestHeader('Authorization', `Token ${token}`);
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(event.total, 1));
    request.onload = () => {
      if (request.status === 200) resolve((JSON.parse(request.responseText) as { job_id: number }).job_id);
      else reject(new Error(request.responseText.replace(/^\[E[A-Z]+\] /, '').trim()));
    };
    request.onerror = () => reject(new Error('The upload was broken off'));
    request.onabort = () => reject(new DOMException('', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(form);
  });
}

/** Have the browser download what a method writes. */
export async function download(method: string, params: unknown[], name: string): Promise<void> {
  const [, url] = await connection.call<[number, string]>('core.download', method, params, name);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}
