/** What the server sends, as far as the page reads it. Field names are the API's. */

export type State = 'RUNNING' | 'STOPPED' | 'SUSPENDED' | 'ERROR';

export type Dtype = 'DISK' | 'RAW' | 'CDROM' | 'NIC' | 'DISPLAY' | 'PCI' | 'USB';

export interface Attributes {
  dtype: Dtype;
  [name: string]: unknown;
}

export interface Device {
  id: number;
  vm: number;
  order: number;
  attributes: Attributes;
}

export interface Vm {
  id: number;
  uuid: string | null;
  name: string;
  description: string;
  vcpus: number;
  cores: number;
  threads: number;
  memory: number;
  min_memory: number | null;
  autostart: boolean;
  time: 'LOCAL' | 'UTC';
  bootloader: string;
  cpu_mode: string;
  cpu_model: string | null;
  shutdown_timeout: number;
  trusted_platform_module: boolean;
  enable_secure_boot: boolean;
  devices: Device[];
  display_available: boolean;
  status: { state: State; pid: number | null; domain_state: string };
  [field: string]: unknown;
}

export type JobState = 'WAITING' | 'RUNNING' | 'SUCCESS' | 'FAILED' | 'ABORTED';

export interface Job {
  id: number;
  method: string;
  arguments: unknown[];
  description: string | null;
  abortable: boolean;
  progress: { percent: number | null; description: string | null };
  result: unknown;
  error: string | null;
  exc_info: { type: string; extra: [string | null, string, number][] | null } | null;
  state: JobState;
  time_started: DateValue | null;
  time_finished: DateValue | null;
  credentials: { type: string; data: { username?: string } } | null;
}

export interface DateValue {
  $date: number;
}

export interface User {
  pw_name: string;
  account_attributes: string[];
  two_factor_config: { secret_configured: boolean } | null;
  privilege: { roles: { $set: string[] } };
}

export interface LoginAnswer {
  response_type: 'SUCCESS' | 'AUTH_ERR' | 'EXPIRED' | 'OTP_REQUIRED' | 'REDIRECT' | 'DENIED';
  user_info?: User | null;
  reconnect_token?: string | null;
}

export interface DisplayTicket {
  device: number;
  type: 'SPICE' | 'VNC';
  path: string;
  view_only: boolean;
  viewers: string[];
}

export interface FileEntry {
  name: string;
  path: string;
  type: 'FILE' | 'DIRECTORY' | 'SYMLINK' | 'OTHER';
  size: number;
}

export interface Pool {
  name: string;
  path: string;
  size: number;
  free: number;
  healthy: boolean;
}

/** A change of a collection. */
export interface Change<T> {
  msg: 'added' | 'changed' | 'removed';
  collection: string;
  id?: number | string;
  fields?: T;
}

/** Milliseconds since 1970 of a date as the wire has it; null of none. */
export function time(value: DateValue | null | undefined): number | null {
  return value ? value.$date : null;
}
