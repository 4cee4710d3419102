//! Symbols of our own, drawn in a square of 24: simple lines, so that they read at any size.

/// What a symbol stands for; each group has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Compute,
    Data,
    Network,
    Messages,
    Safety,
    Watch,
    Outside,
}

impl Group {
    /// The name of its style.
    pub(crate) fn style(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Data => "data",
            Self::Network => "network",
            Self::Messages => "messages",
            Self::Safety => "safety",
            Self::Watch => "watch",
            Self::Outside => "outside",
        }
    }
}

/// A symbol: its name, its group and its lines.
pub(crate) struct Symbol {
    pub name: &'static str,
    pub group: Group,
    pub path: &'static str,
}

const fn symbol(name: &'static str, group: Group, path: &'static str) -> Symbol {
    Symbol { name, group, path }
}

/// All symbols; the last one stands for what has none.
pub(crate) const SYMBOLS: &[Symbol] = &[
    symbol(
        "address",
        Group::Network,
        "M12 21c4-5 6-8 6-11a6 6 0 0 0-12 0c0 3 2 6 6 11zM12 12a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
    ),
    symbol("alarm", Group::Watch, "M6 17h12l-2-3v-4a4 4 0 0 0-8 0v4zM10 20h4M12 6V4"),
    symbol("api", Group::Network, "M8 6l-5 6 5 6M16 6l5 6-5 6M14 4l-4 16"),
    symbol(
        "balancer",
        Group::Network,
        "M4 12h6M10 12l6-6h4M10 12h10M10 12l6 6h4M18 4l2 2-2 2M18 10l2 2-2 2M18 16l2 2-2 2",
    ),
    symbol("bucket", Group::Data, "M4 6c0-3 16-3 16 0l-2 13c-1 2-11 2-12 0zM4 6c0 3 16 3 16 0"),
    symbol("certificate", Group::Safety, "M4 4h16v11H4zM7 8h10M7 11h5M15 13v7l2-2 2 2v-7"),
    symbol("chart", Group::Watch, "M4 4v16h16M8 16v-4M12 16V8M16 16v-6"),
    symbol(
        "cluster",
        Group::Compute,
        "M12 3l4 2.500v5L12 13l-4-2.500v-5zM6 12l4 2.500v4L6 21l-4-2.500v-4zM18 12l4 2.500v4L18 21l-4-2.500v-4z",
    ),
    symbol(
        "container",
        Group::Compute,
        "M12 3l8 4.500v9L12 21l-8-4.500v-9zM4 7.500l8 4.5 8-4.500M12 12v9",
    ),
    symbol(
        "cost",
        Group::Watch,
        "M12 3v18M16 7c-1-2-8-2-8 1.500C8 12 16 12 16 15.5 16 19 9 19 7.5 16.5",
    ),
    symbol(
        "database",
        Group::Data,
        "M4 6c0-4 16-4 16 0v12c0 4-16 4-16 0zM4 6c0 4 16 4 16 0M4 12c0 4 16 4 16 0",
    ),
    symbol(
        "detector",
        Group::Safety,
        "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM15.5 15.500L21 21M8 10.500l2 2 3-4",
    ),
    symbol("door", Group::Network, "M6 21V4h12v17M3 21h18M14 12v1"),
    symbol("endpoint", Group::Network, "M3 12h8M11 7v10M15 8a4 4 0 0 1 0 8h-4V8z"),
    symbol("event", Group::Messages, "M4 5h16v15H4zM4 9h16M8 3v4M16 3v4M12 12v3l2 1.5"),
    symbol("filter", Group::Watch, "M4 5h16l-6 7v7l-4-2v-5z"),
    symbol(
        "firewall",
        Group::Safety,
        "M3 5h18v14H3zM3 9.700h18M3 14.300h18M9 5v4.700M15 9.700v4.600M9 14.300V19",
    ),
    symbol("fleet", Group::Compute, "M3 8h11v11H3zM7 8V5h11v11h-4M11 5V3h10v10h-3"),
    symbol("function", Group::Compute, "M6 4h4l8 16M12 11L7 20"),
    symbol(
        "instance",
        Group::Compute,
        "M5 5h14v14H5zM9 9h6v6H9zM9 2v3M15 2v3M9 19v3M15 19v3M2 9h3M2 15h3M19 9h3M19 15h3",
    ),
    symbol(
        "internet",
        Group::Outside,
        "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c-6 6-6 12 0 18M12 3c6 6 6 12 0 18",
    ),
    symbol("key", Group::Safety, "M8 12a4 4 0 1 0 0 .1zM12 12h9M17 12v4M21 12v3"),
    symbol("limit", Group::Network, "M4 17a8.5 8.5 0 1 1 16 0M12 16l4-6"),
    symbol(
        "link",
        Group::Network,
        "M10 14l4-4M9 9L6 12a4 4 0 0 0 6 6l2-2M15 15l3-3a4 4 0 0 0-6-6l-2 2",
    ),
    symbol("log", Group::Watch, "M6 3h9l4 4v14H6zM15 3v4h4M9 11h7M9 14h7M9 17h4"),
    symbol("mail", Group::Messages, "M3 6h18v12H3zM3 6l9 7 9-7"),
    symbol("nat", Group::Network, "M4 5h16v14H4zM8 10h8l-2-2M16 14H8l2 2"),
    symbol(
        "network",
        Group::Network,
        "M7 18h10a4 4 0 0 0 .500-8 6 6 0 0 0-11-1A4.5 4.5 0 0 0 7 18z",
    ),
    symbol("parameter", Group::Data, "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4"),
    symbol(
        "people",
        Group::Outside,
        "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2 20c0-8 14-8 14 0zM16 4.500a3.5 3.5 0 0 1 0 6.500M18 14c3 1 4 3 4 6h-3",
    ),
    symbol("queue", Group::Messages, "M3 8h5v8H3zM10 8h5v8h-5zM17 8h4v8h-4M1 12h2M8 12h2M15 12h2"),
    symbol("record", Group::Network, "M4 4h16v6H4zM4 14h16v6H4zM8 7h.100M8 17h.100M12 7h5M12 17h5"),
    symbol("role", Group::Safety, "M12 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21c0-9 16-9 16 0z"),
    symbol(
        "route",
        Group::Network,
        "M6 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM18 20a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM8 6h6c6 0 6 6 0 6h-4c-6 0-6 6 0 6h6",
    ),
    symbol("scale", Group::Compute, "M4 20L20 4M13 4h7v7M4 13v7h7"),
    symbol("secret", Group::Safety, "M5 11h14v10H5zM8 11V8a4 4 0 0 1 8 0v3M12 15v2"),
    symbol("shield", Group::Safety, "M12 3l8 3v6c0 5-4 8-8 9-4-1-8-4-8-9V6z"),
    symbol("stage", Group::Network, "M6 21V4h12l-3 4 3 4H6"),
    symbol("subnet", Group::Network, "M4 4h16v16H4zM4 12h16M12 4v16"),
    symbol("table", Group::Data, "M3 5h18v14H3zM3 10h18M9 5v14M3 14.500h18"),
    symbol(
        "target",
        Group::Network,
        "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
    ),
    symbol("template", Group::Compute, "M5 3h14v18H5zM8 7h8M8 11h8M8 15h4"),
    symbol("topic", Group::Messages, "M4 10v4h4l9 5V5L8 10zM20 9c1 2 1 4 0 6"),
    symbol("trigger", Group::Messages, "M13 3L5 14h6l-1 7 8-11h-6z"),
    symbol("version", Group::Compute, "M4 4h7l9 9-7 7-9-9zM8 8h.100"),
    symbol("dot", Group::Watch, "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z"),
];

/// The symbol of this name, or the dot.
pub(crate) fn symbol_of(name: &str) -> &'static Symbol {
    let found = SYMBOLS.iter().find(|symbol| symbol.name == name);
    found.or(SYMBOLS.last()).expect("there are symbols")
}
