import { IconFileText, IconFolder } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { type FileNode, treeOf } from "@/domain/files";
import classes from "./Content.module.css";

export function FileTree({ name, paths, open }: { name: string; paths: string[]; open: string | undefined }) {
  return (
    <nav aria-label="Files">
      <Nodes name={name} nodes={treeOf(paths)} open={open} />
    </nav>
  );
}

function Nodes({ name, nodes, open }: { name: string; nodes: FileNode[]; open: string | undefined }) {
  return (
    <ul className={classes.tree}>
      {nodes.map((node) => (
        <li key={node.path}>
          {node.children ? (
            <>
              <span className={classes.folder}>
                <IconFolder size={16} stroke={1.7} aria-hidden />
                {node.name}
              </span>
              <Nodes name={name} nodes={node.children} open={open} />
            </>
          ) : (
            <Link
              to="/assistants/$name/content"
              params={{ name }}
              search={{ file: node.path }}
              className={classes.file}
              aria-current={node.path === open ? "page" : undefined}
            >
              <IconFileText size={16} stroke={1.7} aria-hidden />
              {node.name}
            </Link>
          )}
        </li>
      ))}
    </ul>
  );
}
