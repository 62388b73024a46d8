import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core';
import EllipsisVIcon from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon';
import { useState } from 'react';
import { useLocation } from 'wouter';
import type { Vm } from '../api/types';
import { act, type Action, POSSIBLE, remove } from '../store/actions';
import { text } from '../text';
import { CloneDialog } from './CloneDialog';

const ALL: readonly Action[] = ['start', 'resume', 'stop', 'restart', 'suspend', 'reset', 'poweroff'];

/** Everything that can be done with a VM. */
export function VmMenu({ vm, onRemoved }: { vm: Vm; onRemoved?(): void }) {
  const [isOpen, setOpen] = useState(false);
  const [isCloning, setCloning] = useState(false);
  const [, go] = useLocation();
  const possible = POSSIBLE[vm.status.state];
  return (
    <>
      <Dropdown
        isOpen={isOpen}
        onSelect={() => setOpen(false)}
        onOpenChange={setOpen}
        popperProps={{ position: 'right' }}
        toggle={(ref) => (
          <MenuToggle
            ref={ref}
            variant="plain"
            isExpanded={isOpen}
            aria-label={text.common.actionsOf(vm.name)}
            icon={<EllipsisVIcon />}
            onClick={() => setOpen(!isOpen)}
          />
        )}
      >
        {isOpen && (
          <DropdownList>
            {ALL.filter((action) => possible.includes(action)).map((action) => (
              <DropdownItem key={action} isDanger={action === 'poweroff' || action === 'reset'} onClick={() => void act(action, vm)}>
                {text.action[action]}
              </DropdownItem>
            ))}
            <Divider />
            <DropdownItem onClick={() => go(`/vm/${vm.id}/settings`)}>{text.action.edit}</DropdownItem>
            <DropdownItem onClick={() => setCloning(true)}>{text.action.clone}</DropdownItem>
            <DropdownItem isDanger onClick={() => void remove(vm).then((isGone) => isGone && onRemoved?.())}>
              {text.action.delete}
            </DropdownItem>
          </DropdownList>
        )}
      </Dropdown>
      {isCloning && <CloneDialog vm={vm} onClose={() => setCloning(false)} />}
    </>
  );
}
