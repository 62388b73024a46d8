import { Breadcrumb, BreadcrumbItem, Button, PageSection, Tab, Tabs, TabTitleText, Title } from '@patternfly/react-core';
import SearchIcon from '@patternfly/react-icons/dist/esm/icons/search-icon';
import { lazy, Suspense, useEffect } from 'react';
import { Link, useLocation } from 'wouter';
import type { Vm } from '../api/types';
import { Busy, Empty } from '../parts/Empty';
import { StateLabel } from '../parts/StateLabel';
import { useMay } from '../parts/useConnection';
import { VmMenu } from '../parts/VmMenu';
import { act, type Action, POSSIBLE } from '../store/actions';
import { useVm, useVms } from '../store/vms';
import { text } from '../text';

const VIEWS = {
  overview: lazy(() => import('./vm/Overview').then(({ Overview }) => ({ default: Overview }))),
  display: lazy(() => import('./vm/DisplayView').then(({ DisplayView }) => ({ default: DisplayView }))),
  serial: lazy(() => import('./vm/SerialView').then(({ SerialView }) => ({ default: SerialView }))),
  devices: lazy(() => import('./vm/Devices').then(({ Devices }) => ({ default: Devices }))),
  settings: lazy(() => import('./vm/Settings').then(({ Settings }) => ({ default: Settings }))),
  log: lazy(() => import('./vm/Log').then(({ Log }) => ({ default: Log }))),
};
type View = keyof typeof VIEWS;

const BUTTONS: readonly Action[] = ['start', 'resume', 'stop', 'restart'];

export default function VmPage({ id, tab }: { id: number; tab: string }) {
  const vm = useVm(id);
  const isLoaded = useVms((state) => state.isLoaded);
  const [, go] = useLocation();
  useEffect(() => {
    if (vm) document.title = `${vm.name} – ${text.product}`;
    return () => {
      document.title = text.product;
    };
  }, [vm?.name]);
  if (!isLoaded) return <Busy />;
  if (!vm) {
    return (
      <Empty isPage title={text.tabs.missing} body={text.tabs.missingBody} icon={SearchIcon}>
        <Button variant="link" onClick={() => go('/')}>
          {text.tabs.toList}
        </Button>
      </Empty>
    );
  }
  return <Known vm={vm} view={tab in VIEWS ? (tab as View) : 'overview'} />;
}

function Known({ vm, view }: { vm: Vm; view: View }) {
  const [, go] = useLocation();
  const mayWrite = useMay('VM_WRITE');
  const possible = POSSIBLE[vm.status.state];
  const Content = VIEWS[view];
  useEffect(() => {
    // On a phone not all tabs have room.
    document.querySelector('#views [aria-selected=true]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [view]);
  return (
    <>
      <PageSection type="breadcrumb" className="vs-hide-phone">
        <Breadcrumb>
          <BreadcrumbItem>
            <Link href="/">{text.list.title}</Link>
          </BreadcrumbItem>
          <BreadcrumbItem isActive>{vm.name}</BreadcrumbItem>
        </Breadcrumb>
      </PageSection>
      <PageSection>
        <div className="vs-title">
          <Title headingLevel="h1">{vm.name}</Title>
          <StateLabel state={vm.status.state} />
          {mayWrite && (
            <>
              {BUTTONS.filter((action) => possible.includes(action)).map((action, index) => (
                <Button key={action} variant={index === 0 && action !== 'stop' ? 'primary' : 'secondary'} onClick={() => void act(action, vm)}>
                  {text.action[action]}
                </Button>
              ))}
              <VmMenu vm={vm} onRemoved={() => go('/')} />
            </>
          )}
        </div>
        {vm.description && <p className="vs-subtle">{vm.description}</p>}
      </PageSection>
      <PageSection type="tabs">
        <Tabs
          id="views"
          activeKey={view}
          onSelect={(_, key) => go(`/vm/${vm.id}/${String(key)}`)}
          aria-label={text.tabs.label}
          usePageInsets
        >
          {(Object.keys(VIEWS) as View[]).map((key) => (
            <Tab key={key} eventKey={key} title={<TabTitleText>{text.tabs[key]}</TabTitleText>} tabContentId="view" />
          ))}
        </Tabs>
      </PageSection>
      <PageSection isFilled id="view" role="tabpanel" aria-label={text.tabs[view]}>
        <Suspense fallback={<Busy />}>
          <Content vm={vm} />
        </Suspense>
      </PageSection>
    </>
  );
}
