/**
 * The page's one connection to the server: calls, events, logging in, and coming back after it was lost.
 *
 * It is the public API that every other client uses too.
 */
import { CallFailed, ConnectionLost, type WireError } from './errors';
import type { Change, LoginAnswer, User } from './types';

export type Status = 'connecting' | 'login' | 'ready' | 'lost';

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: number;
}

interface Frame {
  id?: number | string | null;
  method?: string;
  params?: Change<unknown>;
  result?: unknown;
  error?: WireError;
}

/** Milliseconds: an answer, a sign of life, and the first and longest pause before connecting again. */
const ANSWER = 60_000;
const ALIVE = 20_000;
const PAUSES = [400, 10_000] as const;
/** The token is what logs the page in again when it was loaded anew or lost the connection. */
const LOGIN_OPTIONS = { user_info: true, reconnect_token: true };
const TOKEN = 'vmstead.token';

type Listener = (change: Change<unknown>) => void;

export class Connection {
  status: Status = 'connecting';
  user: User | null = null;
  /** Why the connection is lost, or the login ended. */
  reason = '';
  /** Another number after each change. */
  turn = 0;

  private socket: WebSocket | null = null;
  private pending = new Map<number, Pending>();
  private nextId = 1;
  private pause: number = PAUSES[0];
  private retry = 0;
  private heartbeat = 0;
  private listeners = new Map<string, Set<Listener>>();
  private subscriptions = new Map<string, Promise<string | null>>();
  private watchers = new Set<() => void>();
  private arrivals = new Set<() => void>();

  constructor(private readonly url: string) {
    window.addEventListener('online', () => this.connectNow());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.connectNow();
    });
  }

  /** Connect, and stay connected. */
  open(): void {
    window.clearTimeout(this.retry);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    socket.onopen = () => void this.begin(socket);
    socket.onmessage = (event: MessageEvent<string>) => this.receive(JSON.parse(event.data) as Frame);
    socket.onclose = (event) => {
      if (this.socket === socket) this.lost(event.reason);
    };
  }

  /** Be told of changes of `status`. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Be called now if somebody is logged in, and whenever that is so again. */
  whenReady(action: () => void): () => void {
    this.arrivals.add(action);
    if (this.status === 'ready') action();
    return () => this.arrivals.delete(action);
  }

  /** The result of a method. Rejects with `CallFailed` or `ConnectionLost`. */
  call<T>(method: string, ...params: unknown[]): Promise<T> {
    return this.send<T>(method, params, ANSWER);
  }

  /** Have a collection's events, also after a reconnection, until the function returned is called. */
  listen<T>(collection: string, listener: (change: Change<T>) => void): () => void {
    const listeners = this.listeners.get(collection) ?? new Set<Listener>();
    this.listeners.set(collection, listeners);
    listeners.add(listener as Listener);
    if (this.status === 'ready') this.subscribe(collection);
    return () => {
      listeners.delete(listener as Listener);
      if (listeners.size === 0) this.unsubscribe(collection);
    };
  }

  /** Log in; the answer says how that went. */
  login(data: Record<string, unknown>): Promise<LoginAnswer> {
    return this.tryLogin('auth.login_ex', data);
  }

  /** The second step of a login, with a one-time code. */
  loginWithCode(code: string): Promise<LoginAnswer> {
    return this.tryLogin('auth.login_ex_continue', { mechanism: 'OTP_TOKEN', otp_token: code });
  }

  /** Do something that opens another window, which is logged in as this one is. */
  async withLogin(open: () => void): Promise<void> {
    const own = sessionStorage.getItem(TOKEN);
    // A new window begins with a copy of what this one has stored.
    sessionStorage.setItem(TOKEN, await this.call<string>('auth.generate_token', 60, {}, true, true));
    open();
    if (own) sessionStorage.setItem(TOKEN, own);
    else sessionStorage.removeItem(TOKEN);
  }

  async logout(): Promise<void> {
    sessionStorage.removeItem(TOKEN);
    await this.call('auth.logout').catch(() => undefined);
    this.user = null;
    const socket = this.socket;
    this.drop('');
    socket?.close();
    this.change('connecting');
    this.open();
  }

  connectNow(): void {
    if (this.status === 'lost') {
      this.pause = PAUSES[0];
      this.open();
    }
  }

  private async tryLogin(method: string, data: Record<string, unknown>): Promise<LoginAnswer> {
    const answer = await this.call<LoginAnswer>(method, { ...data, login_options: LOGIN_OPTIONS });
    if (answer.response_type === 'SUCCESS') {
      this.user = answer.user_info ?? (await this.call<User>('auth.me'));
      if (answer.reconnect_token) sessionStorage.setItem(TOKEN, answer.reconnect_token);
      this.reason = '';
      this.change('ready');
      for (const collection of this.listeners.keys()) this.subscribe(collection);
      for (const action of this.arrivals) action();
    }
    return answer;
  }

  private async begin(socket: WebSocket): Promise<void> {
    this.pause = PAUSES[0];
    this.heartbeat = window.setInterval(() => {
      this.send('core.ping', [], ALIVE / 2).catch((error: unknown) => {
        if (error instanceof ConnectionLost) socket.close();
      });
    }, ALIVE);
    const token = sessionStorage.getItem(TOKEN);
    try {
      if (token) {
        const answer = await this.login({ mechanism: 'TOKEN_PLAIN', token });
        if (answer.response_type === 'SUCCESS') return;
        sessionStorage.removeItem(TOKEN);
        this.user = null;
        this.reason = 'ended';
      }
      this.change('login');
    } catch {
      socket.close();
    }
  }

  private lost(reason: string): void {
    this.drop(reason);
    this.change('lost');
    this.retry = window.setTimeout(() => this.open(), this.pause * (0.75 + Math.random() / 2));
    this.pause = Math.min(2 * this.pause, PAUSES[1]);
  }

  /** Forget a connection, and what was waited for on it. */
  private drop(reason: string): void {
    window.clearInterval(this.heartbeat);
    this.socket = null;
    this.subscriptions.clear();
    const pending = [...this.pending.values()];
    this.pending.clear();
    for (const call of pending) {
      window.clearTimeout(call.timer);
      call.reject(new ConnectionLost(reason || 'The connection to the server was lost'));
    }
    this.reason = reason;
  }

  private send<T>(method: string, params: unknown[], patience: number): Promise<T> {
    const socket = this.socket;
    return new Promise<T>((resolve, reject) => {
      if (socket?.readyState !== WebSocket.OPEN) {
        reject(new ConnectionLost('The server is not connected at this moment'));
        return;
      }
      const id = this.nextId++;
      const timer = window.setTimeout(() => {
        this.pending.delete(id);
        reject(new ConnectionLost(`${method} was not answered within ${patience / 1000} seconds`));
      }, patience);
      this.pending.set(id, { resolve: resolve as (value: unknown) => void, reject, timer });
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
  }

  private receive(frame: Frame): void {
    if (frame.method === 'collection_update' && frame.params) {
      const change = frame.params;
      for (const listener of this.listeners.get(change.collection) ?? []) listener(change);
      return;
    }
    const call = typeof frame.id === 'number' ? this.pending.get(frame.id) : undefined;
    if (!call) return;
    this.pending.delete(frame.id as number);
    window.clearTimeout(call.timer);
    if (frame.error) call.reject(new CallFailed(frame.error));
    else call.resolve(frame.result);
  }

  private subscribe(collection: string): void {
    if (this.subscriptions.has(collection)) return;
    // What this user may not see, or this server does not have, simply never changes.
    const id = this.call<string>('core.subscribe', collection).catch(() => null);
    this.subscriptions.set(collection, id);
  }

  private unsubscribe(collection: string): void {
    this.listeners.delete(collection);
    const subscription = this.subscriptions.get(collection);
    this.subscriptions.delete(collection);
    void subscription?.then((id) => (id ? this.call('core.unsubscribe', id).catch(() => undefined) : undefined));
  }

  private change(status: Status): void {
    this.status = status;
    this.turn += 1;
    for (const watcher of this.watchers) watcher();
  }
}

/** The address of a WebSocket of this server. */
export function socketUrl(path: string): string {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return `${scheme}//${location.host}${path}`;
}

export const connection = new Connection(socketUrl('/api/current'));
