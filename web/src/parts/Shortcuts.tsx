import {
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Modal,
  ModalBody,
  ModalHeader,
} from '@patternfly/react-core';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { text } from '../text';

const KEYS = [
  ['/', text.keys.filter],
  ['c', text.keys.create],
  ['g v', text.keys.goVms],
  ['g j', text.keys.goJobs],
  ['g h', text.keys.goHost],
  ['?', text.keys.help],
] as const;
const PLACES: Record<string, string> = { v: '/', j: '/jobs', h: '/host' };
/** Milliseconds in which the second key has to follow. */
const TOGETHER = 1000;

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.closest('input, textarea, select, iframe, [contenteditable], [role=dialog]') !== null;

/** Keys that lead somewhere, while nothing is being typed into. */
export function Shortcuts() {
  const [, go] = useLocation();
  const [isHelp, setHelp] = useState(false);
  useEffect(() => {
    let going = 0;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target)) return;
      const place = event.timeStamp - going < TOGETHER ? PLACES[event.key] : undefined;
      going = event.key === 'g' ? event.timeStamp : 0;
      if (place) go(place);
      else if (event.key === '?') setHelp(true);
      else if (event.key === 'c') go('/create');
      else if (event.key === '/') document.querySelector<HTMLInputElement>('[data-filter] input')?.focus();
      else return;
      event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [go]);
  return (
    <Modal isOpen={isHelp} variant="small" onClose={() => setHelp(false)} aria-labelledby="keys-title">
      <ModalHeader title={text.keys.title} labelId="keys-title" />
      <ModalBody>
        <DescriptionList isHorizontal isCompact>
          {KEYS.map(([keys, what]) => (
            <DescriptionListGroup key={keys}>
              <DescriptionListTerm>
                {keys.split(' ').map((key) => (
                  <kbd key={key} className="vs-kbd">
                    {key}
                  </kbd>
                ))}
              </DescriptionListTerm>
              <DescriptionListDescription>{what}</DescriptionListDescription>
            </DescriptionListGroup>
          ))}
        </DescriptionList>
      </ModalBody>
    </Modal>
  );
}
