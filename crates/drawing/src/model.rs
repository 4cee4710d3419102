//! What is drawn. The description knows no service: it has frames, boxes, badges and flows, and what a
//! reader may want to know of each resource.

use serde::{Deserialize, Serialize};

/// A whole drawing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    /// The title of the page.
    pub title: String,
    /// What it shows, in a sentence.
    pub summary: String,
    /// Sentences that a reader should see before all else: refusals, losses.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Whether it shows changes: the page then tells and filters them.
    #[serde(default)]
    pub is_plan: bool,
    /// The frames, each after the one that it stands in.
    pub frames: Vec<Frame>,
    /// The boxes.
    pub boxes: Vec<Card>,
    /// What moves between boxes.
    pub flows: Vec<Flow>,
}

/// A frame round boxes and other frames.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Its id.
    pub id: String,
    /// The frame that it stands in.
    pub parent: Option<String>,
    /// Its column among the contents of that frame.
    pub column: u32,
    /// How it is drawn.
    pub look: Look,
    /// Its title.
    pub title: String,
    /// What stands behind the title, smaller.
    #[serde(default)]
    pub note: String,
    /// Its parts, such as the subnets of a tier.
    #[serde(default)]
    pub cells: Vec<Cell>,
    /// The resource that it is.
    #[serde(default)]
    pub resource: Option<Resource>,
    /// What is folded into it.
    #[serde(default)]
    pub badges: Vec<Badge>,
}

/// How a frame is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// An account.
    Account,
    /// A region.
    Region,
    /// A network.
    Network,
    /// A tier of a network.
    Tier,
}

/// A part of a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The zone.
    pub title: String,
    /// The address range.
    pub note: String,
    /// The resource that it is.
    pub resource: Resource,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Its id.
    pub id: String,
    /// The frame that it stands in.
    pub frame: Option<String>,
    /// Where in the frame: in a column, or apart at the bottom.
    pub column: Option<u32>,
    /// Its symbol.
    pub symbol: String,
    /// Its title.
    pub title: String,
    /// What it is.
    pub note: String,
    /// The resource that it is; nothing for somebody outside.
    #[serde(default)]
    pub resource: Option<Resource>,
    /// What is folded into it.
    #[serde(default)]
    pub badges: Vec<Badge>,
}

/// Resources of one sort that are folded into a box or a frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Badge {
    /// The symbol.
    pub symbol: String,
    /// What one of them is: `alarm`.
    pub word: String,
    /// What they are, for one or several: `2 alarms`.
    pub label: String,
    /// The resources.
    pub resources: Vec<Resource>,
}

/// Something that moves from box to box.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Flow {
    /// The box where it begins.
    pub from: String,
    /// The box where it ends.
    pub to: String,
    /// What it is; may be empty.
    pub label: String,
    /// Whether it is drawn in the background.
    #[serde(default)]
    pub quiet: bool,
}

/// What there is to know about a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Its identity, unique in the drawing.
    pub address: String,
    /// Its name in the cloud.
    pub name: String,
    /// The part of the platform that it belongs to.
    pub component: String,
    /// Where it is asked for.
    pub origin: String,
    /// What happens to it; nothing if it stays.
    #[serde(default)]
    pub action: Option<Action>,
    /// Why, what is lost, and other sentences.
    #[serde(default)]
    pub remarks: Vec<String>,
    /// Its fields, or what differs.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Create,
    /// It is changed in place.
    Change,
    /// A new one takes its place.
    Replace,
    /// It goes.
    Delete,
}

impl Action {
    /// All, in the order in which a reader should see them.
    pub const ALL: [Self; 4] = [Self::Create, Self::Change, Self::Replace, Self::Delete];

    /// The word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Replace => "replace",
            Self::Delete => "delete",
        }
    }

    /// The sign, which tells them apart without colour.
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Change => "~",
            Self::Replace => "\u{b1}",
            Self::Delete => "\u{2212}",
        }
    }
}

/// A field of a resource: lines of text, each the same, old or new.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Its path.
    pub path: String,
    /// What it holds, or how it differs.
    pub lines: Vec<Line>,
}

/// A line of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// It is so, or stays so.
    Same(String),
    /// It was so.
    Old(String),
    /// It will be so.
    New(String),
}

impl Drawing {
    /// All resources, in the order of the drawing.
    pub fn resources(&self) -> Vec<&Resource> {
        let frames = self.frames.iter().flat_map(|frame| {
            let cells = frame.cells.iter().map(|cell| &cell.resource);
            let badges = frame.badges.iter().flat_map(|badge| &badge.resources);
            frame.resource.iter().chain(cells).chain(badges)
        });
        let boxes = self.boxes.iter().flat_map(|card| {
            card.resource.iter().chain(card.badges.iter().flat_map(|badge| &badge.resources))
        });
        frames.chain(boxes).collect()
    }
}
