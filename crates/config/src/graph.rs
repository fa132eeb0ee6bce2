//! Topological order with the circle named as Ruby's `tsort` names it, because GitLab's
//! messages quote its output. Iterative, so that no input can exhaust the stack.

const UNSEEN: usize = usize::MAX;

/// Nodes in an order in which children come before their parents, or the nodes of the first
/// circle of two or more, in the order of the walk. A node that is its own child is no
/// circle here.
pub(crate) fn sort(children: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    // Tarjan's strongly connected components.
    let mut seen_at = vec![UNSEEN; children.len()];
    let mut lowest = vec![UNSEEN; children.len()];
    let mut on_path = vec![false; children.len()];
    let mut path = Vec::new();
    let mut order = Vec::with_capacity(children.len());
    let mut clock = 0;
    for root in 0..children.len() {
        if seen_at[root] != UNSEEN {
            continue;
        }
        let mut walk = vec![(root, 0)];
        while let Some((node, next)) = walk.pop() {
            if next == 0 {
                seen_at[node] = clock;
                lowest[node] = clock;
                clock += 1;
                path.push(node);
                on_path[node] = true;
            }
            if let Some(&child) = children[node].get(next) {
                walk.push((node, next + 1));
                if seen_at[child] == UNSEEN {
                    walk.push((child, 0));
                } else if on_path[child] {
                    lowest[node] = lowest[node].min(seen_at[child]);
                }
                continue;
            }
            if lowest[node] == seen_at[node] {
                let start = path.iter().rposition(|other| *other == node).unwrap_or(0);
                let component = path.split_off(start);
                if component.len() > 1 {
                    return Err(component);
                }
                on_path[node] = false;
                order.push(node);
            }
            if let Some((parent, _)) = walk.last() {
                lowest[*parent] = lowest[*parent].min(lowest[node]);
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::sort;

    #[test]
    fn children_come_first_and_circles_are_named_in_walking_order() {
        assert_eq!(sort(&[vec![1], vec![2], vec![]]), Ok(vec![2, 1, 0]));
        assert_eq!(sort(&[vec![2], vec![0], vec![1]]), Err(vec![0, 2, 1]));
        assert_eq!(sort(&[vec![0]]), Ok(vec![0]));
        assert_eq!(sort(&[vec![1], vec![2], vec![1]]), Err(vec![1, 2]));
    }
}
