import { IconActivityHeartbeat, IconBolt, IconMessages, IconRobot } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { type Operation, useCan } from "@/auth/permissions";
import classes from "./Shell.module.css";

const ENTRIES = [
  { to: "/assistants", label: "Assistants", icon: IconRobot, needs: "assistants.read" },
  { to: "/trainings", label: "Trainings", icon: IconBolt, needs: "trainings.read" },
  { to: "/conversations", label: "Conversations", icon: IconMessages, needs: "conversations.read" },
  { to: "/system", label: "System", icon: IconActivityHeartbeat, needs: "status.read" },
] as const satisfies { needs: Operation; [other: string]: unknown }[];

/** The menu has what the signed-in person may open. */
export function Navigation() {
  const can = useCan();
  return (
    <ul className={classes.nav}>
      {ENTRIES.filter(({ needs }) => can(needs)).map(({ to, label, icon: Icon }) => (
        <li key={to}>
          <Link to={to} className={classes.link} activeOptions={{ includeSearch: false }}>
            <Icon size={19} stroke={1.7} aria-hidden />
            {label}
          </Link>
        </li>
      ))}
    </ul>
  );
}
