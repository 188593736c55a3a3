import { Link, Outlet } from "@tanstack/react-router";
import { Allowed, useCan } from "@/auth/permissions";
import tabs from "@/screens/assistant/AssistantLayout.module.css";
import { Page } from "@/ui/Page";

const TABS = [
  { to: "/system", label: "Status", needs: "status.read" },
  { to: "/system/dead-letters", label: "Dead letters", needs: "dead_letters.read" },
  { to: "/system/audit", label: "Audit", needs: "audit.read" },
] as const;

export function SystemLayout() {
  const can = useCan();
  return (
    <Allowed to="status.read">
      <Page title="System" description="The Studio behind the assistants: its parts, the flow of events, who did what.">
        <nav aria-label="Parts of the system" className={tabs.tabs}>
          {TABS.filter(({ needs }) => can(needs)).map(({ to, label }) => (
            <Link key={to} to={to} className={tabs.tab} activeOptions={{ exact: true }}>
              {label}
            </Link>
          ))}
        </nav>
        <Outlet />
      </Page>
    </Allowed>
  );
}
