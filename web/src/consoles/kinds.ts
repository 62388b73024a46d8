/** A guest's screen in the frame, whatever its protocol. */
export interface Screen {
  /** Press these keys, in order, and let them go. */
  press(codes: readonly string[]): void;
  /** Type a text, key by key. */
  type(text: string): Promise<void>;
  /** Scale it to the window, or show it as large as it is. */
  scale(isFit: boolean): void;
  /** Have the guest make its screen as large as the window; its agent must run. */
  resizeGuest(): void;
  /** Give the guest a text for its clipboard. */
  paste(text: string): void;
  focus(): void;
  close(): void;
}

export interface Outcome {
  connected(): void;
  /** `isFinal`: trying again would not help. */
  closed(reason: string, isFinal: boolean): void;
}

/** How a WebSocket ended; the server refuses with 1008 and the reason. */
export const reasonOf = (event: CloseEvent): [string, boolean] => [event.reason, event.code === 1008];

/** Milliseconds between two typed keys: guests lose some that come at once. */
export const BETWEEN_KEYS = 20;

export const pause = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));
