import { Bullseye, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter, Spinner } from '@patternfly/react-core';
import type { ComponentType, ReactNode } from 'react';
import { text } from '../text';

export function Busy({ isPage = false }: { isPage?: boolean }) {
  const spinner = (
    <Bullseye>
      <Spinner aria-label={text.common.loading} />
    </Bullseye>
  );
  return isPage ? <main className="vs-whole">{spinner}</main> : spinner;
}

interface Props {
  title: string;
  icon?: ComponentType;
  body?: string;
  status?: 'danger' | 'warning' | 'info';
  /** It is all there is on the page. */
  isPage?: boolean;
  children?: ReactNode;
}

/** Nothing to show, why, and what can be done about it. */
export function Empty({ title, icon, body, status, isPage, children }: Props) {
  return (
    <EmptyState titleText={title} headingLevel={isPage ? 'h1' : 'h2'} icon={icon} status={status} variant="sm">
      {body && <EmptyStateBody>{body}</EmptyStateBody>}
      {children && (
        <EmptyStateFooter>
          <EmptyStateActions>{children}</EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}
