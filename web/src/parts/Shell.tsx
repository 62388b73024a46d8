/** What surrounds every page: the bar at the top, the navigation, the state of the connection. */
import {
  Alert,
  AlertActionLink,
  Button,
  Dropdown,
  DropdownGroup,
  DropdownItem,
  DropdownList,
  Label,
  Masthead,
  MastheadBrand,
  MastheadContent,
  MastheadLogo,
  MastheadMain,
  MastheadToggle,
  MenuToggle,
  Nav,
  NavItem,
  NavList,
  Page,
  PageSidebar,
  PageSidebarBody,
  PageToggleButton,
  SkipToContent,
  Toolbar,
  ToolbarContent,
  ToolbarGroup,
  ToolbarItem,
} from '@patternfly/react-core';
import { lazy, type ReactNode, Suspense, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { connection } from '../api/connection';
import { isActive, useJobs } from '../store/jobs';
import { type Theme, usePreferences } from '../store/preferences';
import { text } from '../text';
import { PasswordDialog } from './PasswordDialog';
import { Shortcuts } from './Shortcuts';
import { useConnection } from './useConnection';

const PLACES = [
  ['/', text.nav.vms],
  ['/jobs', text.nav.jobs],
  ['/host', text.nav.host],
  ['/access', text.nav.access],
] as const;

export function Shell({ children }: { children: ReactNode }) {
  const [place] = useLocation();
  const [isOpen, setOpen] = useState(false);
  const { status } = useConnection();
  const header = (
    <Masthead display={{ default: 'inline' }}>
      <MastheadMain>
        <MastheadToggle>
          <PageToggleButton isHamburgerButton aria-label={text.nav.toggle} id="nav-toggle" />
        </MastheadToggle>
        <MastheadBrand>
          <MastheadLogo component={(props) => <Link {...props} href="/" className="vs-brand" />}>
            <img src="/ui/icon.svg" alt="" />
            <span className="vs-product">{text.product}</span>
          </MastheadLogo>
        </MastheadBrand>
      </MastheadMain>
      <MastheadContent>
        <Tools />
      </MastheadContent>
    </Masthead>
  );
  const isAt = (path: string): boolean =>
    path === '/' ? place === '/' || place.startsWith('/vm/') || place === '/create' : place.startsWith(path);
  const sidebar = (
    <PageSidebar id="navigation">
      <PageSidebarBody>
        <Nav aria-label={text.nav.label} onSelect={() => setOpen(false)}>
          <NavList>
            {PLACES.map(([path, name]) => (
              <NavItem key={path} isActive={isAt(path)}>
                <Link href={path}>{name}</Link>
              </NavItem>
            ))}
            <NavItem>
              <a href="/api/docs" target="_blank" rel="noreferrer">
                {text.nav.reference}
              </a>
            </NavItem>
          </NavList>
        </Nav>
      </PageSidebarBody>
    </PageSidebar>
  );
  return (
    <Page
      masthead={header}
      sidebar={sidebar}
      isManagedSidebar
      mainContainerId="main"
      skipToContent={<SkipToContent href="#main">{text.nav.skip}</SkipToContent>}
      data-open={isOpen}
    >
      {status === 'lost' && (
        <div className="vs-lost">
          <Alert component="p"
            variant="warning"
            isInline
            title={text.connection.lost}
            actionLinks={
              <AlertActionLink onClick={() => connection.connectNow()}>{text.connection.retry}</AlertActionLink>
            }
          />
        </div>
      )}
      {children}
      <Shortcuts />
    </Page>
  );
}

function Tools() {
  const { status } = useConnection();
  return (
    <Toolbar isStatic>
      <ToolbarContent>
        <ToolbarGroup align={{ default: 'alignEnd' }} variant="action-group">
          <ToolbarItem className={status === 'ready' ? 'vs-hide-phone' : undefined}>
            {status === 'ready' ? (
              <Label color="green" status="success" isCompact>
                {text.connection.live}
              </Label>
            ) : (
              <Label color="orange" status="warning" isCompact>
                {text.connection.connecting}
              </Label>
            )}
          </ToolbarItem>
          <ToolbarItem>
            <RunningJobs />
          </ToolbarItem>
          <ToolbarItem>
            <UserMenu />
          </ToolbarItem>
        </ToolbarGroup>
      </ToolbarContent>
    </Toolbar>
  );
}

function RunningJobs() {
  const [, go] = useLocation();
  const count = useJobs((state) => [...state.byId.values()].filter(isActive).length);
  if (count === 0) return null;
  return (
    <Button variant="link" onClick={() => go('/jobs')}>
      {text.jobs.running(count)}
    </Button>
  );
}

const TwoFactorDialog = lazy(() => import('./TwoFactorDialog'));

const THEMES: Theme[] = ['system', 'light', 'dark'];

function UserMenu() {
  const { user } = useConnection();
  const theme = usePreferences((state) => state.theme);
  const [isOpen, setOpen] = useState(false);
  const [isChanging, setChanging] = useState(false);
  const [isAsking, setAsking] = useState(false);
  const name = user?.pw_name ?? '';
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
            variant="plainText"
            isExpanded={isOpen}
            aria-label={text.user.menu(name)}
            onClick={() => setOpen(!isOpen)}
          >
            {name}
          </MenuToggle>
        )}
      >
        <DropdownGroup label={text.theme.label}>
          <DropdownList>
            {THEMES.map((each) => (
              <DropdownItem
                key={each}
                isSelected={theme === each}
                onClick={() => usePreferences.setState({ theme: each })}
              >
                {text.theme[each]}
              </DropdownItem>
            ))}
          </DropdownList>
        </DropdownGroup>
        <DropdownGroup label={name}>
          <DropdownList>
            <DropdownItem onClick={() => setChanging(true)}>{text.user.password}</DropdownItem>
            <DropdownItem onClick={() => setAsking(true)}>{text.user.twoFactor}</DropdownItem>
            <DropdownItem to="/ui/licenses.md" target="_blank">
              {text.user.licences}
            </DropdownItem>
            <DropdownItem onClick={() => void connection.logout()}>{text.user.logout}</DropdownItem>
          </DropdownList>
        </DropdownGroup>
      </Dropdown>
      {isChanging && <PasswordDialog username={name} onClose={() => setChanging(false)} />}
      {isAsking && (
        <Suspense>
          <TwoFactorDialog username={name} onClose={() => setAsking(false)} />
        </Suspense>
      )}
    </>
  );
}
