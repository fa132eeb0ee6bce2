//! What has to go: a function of what there is, of the budget and of the free space.

/// What kind of thing a runner made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A project's directory in a slot, kept for the project's next job there.
    Build,
    /// The archive of a cache.
    Cache,
    /// An image that was pulled for jobs.
    Image,
    /// A volume of a container that is gone.
    Volume,
    /// A container of a job whose runner died.
    Container,
    /// A network likewise.
    Network,
    /// What a round that was broken off had begun to remove, or a job that was to hand over.
    Remains,
}

impl Kind {
    /// The word for it in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Cache => "cache",
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Container => "container",
            Self::Network => "network",
            Self::Remains => "remains",
        }
    }
}

/// Whether something can go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can, and a later job would profit from it.
    Idle,
    /// A job has it.
    InUse,
    /// Nobody will ever use it again.
    Leftover,
}

/// One thing that a runner made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub kind: Kind,
    /// Its path, reference or id.
    pub name: String,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Seconds since 1970.
    pub last_used: u64,
    /// Whether it can go.
    pub state: State,
    /// The number of its file system in the list of places; none where it is not known.
    pub place: Option<usize>,
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// A directory on it.
    pub path: std::path::PathBuf,
    /// Bytes that a user may still write.
    pub free: u64,
}

/// How much may be kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Bytes over all kinds and places; `None` is any number.
    pub limit: Option<u64>,
    /// Bytes that stay free on each file system.
    pub floor: u64,
}

/// What goes, and what that comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Indices of items, in the order in which they go.
    pub evict: Vec<usize>,
    /// Bytes of all items before.
    pub total: u64,
    /// Bytes of those that go.
    pub freed: u64,
    /// Bytes by which the budget is exceeded even then.
    pub over: u64,
    /// File systems on which less is free than the floor even then: the place and the bytes
    /// that are missing.
    pub short: Vec<(usize, u64)>,
}

/// Leftovers go in any case. What was not used for longest goes first, until the rest fits the
/// limit and each file system has its floor; nothing goes that a job has.
pub fn choose(items: &[Item], places: &[Place], budget: &Budget) -> Plan {
    let total = items.iter().map(|item| item.bytes).sum();
    let mut plan = Plan {
        total,
        ..Plan::default()
    };
    let mut free: Vec<u64> = places.iter().map(|place| place.free).collect();
    let take = |index: usize, plan: &mut Plan, free: &mut Vec<u64>| {
        let item: &Item = &items[index];
        plan.evict.push(index);
        plan.freed += item.bytes;
        if let Some(free) = item.place.and_then(|place| free.get_mut(place)) {
            *free = free.saturating_add(item.bytes);
        }
    };
    for (index, item) in items.iter().enumerate() {
        if item.state == State::Leftover {
            take(index, &mut plan, &mut free);
        }
    }
    let mut idle: Vec<usize> = (0..items.len())
        .filter(|index| items[*index].state == State::Idle && items[*index].bytes > 0)
        .collect();
    idle.sort_by(|one, other| {
        let key = |index: usize| {
            (
                items[index].last_used,
                items[index].kind,
                &items[index].name,
            )
        };
        key(*one).cmp(&key(*other))
    });
    let excess = |plan: &Plan| {
        let limit = budget.limit.unwrap_or(u64::MAX);
        (plan.total - plan.freed).saturating_sub(limit)
    };
    for index in idle {
        let is_short = items[index]
            .place
            .and_then(|place| free.get(place))
            .is_some_and(|free| *free < budget.floor);
        if excess(&plan) > 0 || is_short {
            take(index, &mut plan, &mut free);
        }
    }
    plan.over = excess(&plan);
    plan.short = (free.iter().enumerate())
        .filter(|(_, free)| **free < budget.floor)
        .map(|(place, free)| (place, budget.floor - free))
        .collect();
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use State::{Idle, InUse, Leftover};

    fn item(name: &str, bytes: u64, last_used: u64, state: State) -> Item {
        Item {
            kind: Kind::Cache,
            name: name.into(),
            bytes,
            last_used,
            state,
            place: Some(0),
        }
    }

    fn names(items: &[Item], plan: &Plan) -> String {
        let names = plan.evict.iter().map(|index| items[*index].name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_was_not_used_for_longest_goes_until_the_rest_fits() {
        let items = [
            item("new", 10, 90, Idle),
            item("old", 10, 10, Idle),
            item("busy", 10, 1, InUse),
            item("middle", 10, 50, Idle),
            item("dead", 5, 99, Leftover),
            item("nothing", 0, 0, Idle),
        ];
        let budget = |limit| Budget { limit, floor: 0 };
        for (limit, expected, freed, over) in [
            (None, "dead", 5, 0),
            (Some(40), "dead", 5, 0),
            (Some(39), "dead old", 15, 0),
            (Some(30), "dead old", 15, 0),
            (Some(29), "dead old middle", 25, 0),
            (Some(10), "dead old middle new", 35, 0),
            (Some(0), "dead old middle new", 35, 10),
        ] {
            let plan = choose(&items, &[], &budget(limit));
            assert_eq!(names(&items, &plan), expected, "{limit:?}");
            assert_eq!((plan.total, plan.freed, plan.over), (45, freed, over));
        }
    }

    #[test]
    fn each_file_system_has_its_floor() {
        let mut items = vec![
            item("a-old", 10, 1, Idle),
            item("b-old", 10, 2, Idle),
            item("a-new", 10, 3, Idle),
            item("b-new", 10, 4, Idle),
            item("nowhere", 10, 0, Idle),
        ];
        for index in [1, 3] {
            items[index].place = Some(1);
        }
        items[4].place = None;
        let places = |free: [u64; 2]| {
            free.map(|free| Place {
                path: "/".into(),
                free,
            })
        };
        for (free, expected, short) in [
            ([50, 50], "", vec![]),
            ([45, 50], "a-old", vec![]),
            ([50, 35], "b-old b-new", vec![]),
            ([50, 20], "b-old b-new", vec![(1, 10)]),
            ([39, 49], "a-old b-old a-new", vec![]),
        ] {
            let budget = Budget {
                limit: None,
                floor: 50,
            };
            let plan = choose(&items, &places(free), &budget);
            assert_eq!(names(&items, &plan), expected, "{free:?}");
            assert_eq!(plan.short, short, "{free:?}");
        }
    }

    #[test]
    fn what_goes_for_the_limit_counts_for_the_floor() {
        let items = [item("old", 30, 1, Idle), item("new", 30, 2, Idle)];
        let place = [Place {
            path: "/".into(),
            free: 0,
        }];
        let budget = Budget {
            limit: Some(30),
            floor: 30,
        };
        assert_eq!(choose(&items, &place, &budget).evict, [0]);
    }

    #[test]
    fn of_two_of_the_same_age_the_order_is_fixed() {
        let mut items = [item("b", 1, 1, Idle), item("a", 1, 1, Idle)];
        let budget = Budget {
            limit: Some(1),
            floor: 0,
        };
        assert_eq!(choose(&items, &[], &budget).evict, [1]);
        items[1].kind = Kind::Image;
        assert_eq!(choose(&items, &[], &budget).evict, [0]);
    }
}
