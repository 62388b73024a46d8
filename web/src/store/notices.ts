/** Short messages over the page, and questions that are asked before something is done. */
import { create } from 'zustand';

export interface Notice {
  key: number;
  kind: 'success' | 'danger' | 'info';
  title: string;
  detail: string | undefined;
}

interface Notices {
  list: readonly Notice[];
}

export const useNotices = create<Notices>(() => ({ list: [] }));

let next = 1;

export function notify(kind: Notice['kind'], title: string, detail?: string): void {
  const notice = { key: next++, kind, title, detail };
  useNotices.setState(({ list }) => ({ list: [...list, notice].slice(-5) }));
}

export function dismiss(key: number): void {
  useNotices.setState(({ list }) => ({ list: list.filter((notice) => notice.key !== key) }));
}

export interface Choice {
  name: string;
  label: string;
  hint?: string;
  initially?: boolean;
}

export interface Question {
  title: string;
  body: string;
  /** What will be lost or done, item by item. */
  items?: readonly string[];
  confirm: string;
  isDangerous?: boolean;
  /** Has to be typed before it can be confirmed. */
  typed?: string;
  choices?: readonly Choice[];
}

type Answer = Record<string, boolean> | null;

interface Questions {
  current: (Question & { answer(answer: Answer): void }) | null;
}

export const useQuestions = create<Questions>(() => ({ current: null }));

/** Ask; the choices that were made, or null when it is not to be done. */
export function ask(question: Question): Promise<Answer> {
  return new Promise((resolve) => {
    const answer = (given: Answer): void => {
      useQuestions.setState({ current: null });
      resolve(given);
    };
    useQuestions.setState({ current: { ...question, answer } });
  });
}
