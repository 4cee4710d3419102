//! Where everything stands: frames inside frames, columns in the direction of the data, and lines between
//! boxes that cross none.
//!
//! Boxes stand on a grid of [`GRID`], frames half a step beside it, so that a line on the grid never runs
//! along a frame. All numbers are whole, and all orders are total: the same drawing always comes out.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Card, Drawing, Flow, Frame};
use crate::routes::{self, Field};
use crate::text::clipped;

/// The step of the grid on which lines run.
pub(crate) const GRID: i32 = 8;
/// The size of a box, without and with a row of badges.
const CARD: (i32, i32) = (168, 48);
const CARD_BADGES: i32 = 72;
/// The least gap between two boxes of a column.
const ROW_GAP: i32 = 32;
/// The least gap between two columns, and the gap that a long label may ask for.
const GUTTER: (i32, i32) = (40, 136);
/// Between a frame and its contents.
const PAD: i32 = 24;
/// The height of a frame's title, and of its row of cells.
pub(crate) const TITLE: i32 = 24;
pub(crate) const CELL: (i32, i32) = (168, 24);
/// Around the whole drawing.
const MARGIN: i32 = 16;
/// No column holds more boxes than this.
const ROWS: usize = 9;
/// The height of a label, and twice the width of a letter.
const LABEL: i32 = 14;
const LETTER: i32 = 11;
/// How often the order of the boxes is improved: as a whole, by swaps, and by the pull of the lines.
const SWEEPS: usize = 12;
const SWAPS: usize = 8;
const PULLS: usize = 3;
/// How often the gaps grow when a label finds no room.
const TRIES: i32 = 4;
/// The longest label, in letters.
pub(crate) const LONGEST: usize = 30;

/// A rectangle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rect {
    pub x: i32,
    pub y: i32,
    pub w: i32,
    pub h: i32,
}

impl Rect {
    pub(crate) fn right(self) -> i32 {
        self.x + self.w
    }

    pub(crate) fn bottom(self) -> i32 {
        self.y + self.h
    }

    pub(crate) fn middle(self) -> (i32, i32) {
        (self.x + self.w / 2, self.y + self.h / 2)
    }

    /// Whether the two share any point inside.
    pub(crate) fn meets(self, other: Self) -> bool {
        self.x < other.right()
            && other.x < self.right()
            && self.y < other.bottom()
            && other.y < self.bottom()
    }

    /// The same, larger by `by` on each side.
    pub(crate) fn grown(self, by: i32) -> Self {
        Self { x: self.x - by, y: self.y - by, w: self.w + 2 * by, h: self.h + 2 * by }
    }

    pub(crate) fn holds(self, other: Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }
}

/// A flow with its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// The corners, from the edge of a box to the edge of another.
    pub points: Vec<(i32, i32)>,
    /// Where its label stands, if it has one and there is room.
    pub label: Option<Rect>,
}

/// Where everything stands; each list in the order of the drawing's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub width: i32,
    pub height: i32,
    pub frames: Vec<Rect>,
    pub cells: Vec<Vec<Rect>>,
    pub boxes: Vec<Rect>,
    /// Nothing for a flow whose ends are not both drawn.
    pub routes: Vec<Option<Route>>,
}

/// The text of a label, cut if it is too long.
pub(crate) fn shown_label(flow: &Flow) -> String {
    clipped(&flow.label, LONGEST)
}

fn label_size(flow: &Flow) -> Option<(i32, i32)> {
    let letters = i32::try_from(shown_label(flow).chars().count()).unwrap_or_default();
    (letters > 0).then_some((letters * LETTER / 2 + 10, LABEL))
}

/// Whether a drawing has so many flows that a better one costs too much time.
pub(crate) fn is_large(flows: usize) -> bool {
    flows > 100
}

/// Lays a drawing out.
pub(crate) fn layout(drawing: &Drawing) -> Layout {
    let mut layout = Layout::default();
    let tries = if is_large(drawing.flows.len()) { 1 } else { TRIES };
    for more in 0..tries {
        let mut grid = Grid::new(drawing, more);
        grid.arrange();
        layout = grid.finish();
        let all = drawing.flows.iter().zip(&layout.routes);
        let is_placed = |(flow, route): (&Flow, &Option<Route>)| {
            label_size(flow).is_none() || route.as_ref().is_none_or(|route| route.label.is_some())
        };
        if all.into_iter().all(is_placed) {
            break;
        }
    }
    layout
}

/// What stands in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Child {
    Box(usize),
    Frame(usize),
}

/// The columns of a frame and what stands apart, below them.
#[derive(Clone, Debug, Default)]
struct Inside {
    columns: Vec<Vec<Child>>,
    apart: Vec<usize>,
}

struct Grid<'a> {
    drawing: &'a Drawing,
    row_gap: i32,
    more_gutter: i32,
    /// The boxes at the ends of each flow.
    ends: Vec<Option<(usize, usize)>>,
    /// The contents of each frame, and of the page as the last.
    inside: Vec<Inside>,
    /// All boxes in each frame, at any depth.
    within: Vec<BTreeSet<usize>>,
    /// The gaps between the columns of each frame.
    gutters: Vec<Vec<i32>>,
    frames: Vec<Rect>,
    boxes: Vec<Rect>,
}

impl<'a> Grid<'a> {
    fn new(drawing: &'a Drawing, more: i32) -> Self {
        let number: BTreeMap<&str, usize> =
            drawing.boxes.iter().enumerate().map(|(at, card)| (&*card.id, at)).collect();
        let end = |id: &String| number.get(id.as_str()).copied();
        let ends = |flow: &Flow| {
            let (from, to) = (end(&flow.from)?, end(&flow.to)?);
            (from != to).then_some((from, to))
        };
        let ends = drawing.flows.iter().map(ends).collect();
        let frame: BTreeMap<&str, usize> =
            drawing.frames.iter().enumerate().map(|(at, frame)| (&*frame.id, at)).collect();
        let page = drawing.frames.len();
        // A frame stands in one that comes before it, so frames never stand in each other.
        let parent = |id: &Option<String>, below: usize| {
            let parent = id.as_ref().and_then(|id| frame.get(id.as_str()).copied());
            parent.filter(|parent| *parent < below).unwrap_or(page)
        };
        let mut columns: Vec<BTreeMap<u32, Vec<Child>>> = vec![BTreeMap::new(); page + 1];
        let mut apart: Vec<Vec<usize>> = vec![Vec::new(); page + 1];
        let mut within = vec![BTreeSet::new(); page + 1];
        for (at, Frame { parent: id, column, .. }) in drawing.frames.iter().enumerate() {
            columns[parent(id, at)].entry(*column).or_default().push(Child::Frame(at));
        }
        for (at, Card { frame: id, column, .. }) in drawing.boxes.iter().enumerate() {
            let mut own = parent(id, page);
            match column {
                Some(column) => columns[own].entry(*column).or_default().push(Child::Box(at)),
                None => apart[own].push(at),
            }
            within[own].insert(at);
            while own != page {
                own = parent(&drawing.frames[own].parent, own);
                within[own].insert(at);
            }
        }
        let split = |(columns, apart): (BTreeMap<u32, Vec<Child>>, Vec<usize>)| {
            let parts = columns.into_values().flat_map(|column| {
                let parts = column.len().div_ceil(ROWS);
                let size = column.len().div_ceil(parts.max(1)).max(1);
                column.chunks(size).map(<[Child]>::to_vec).collect::<Vec<_>>()
            });
            Inside { columns: parts.collect(), apart }
        };
        Self {
            drawing,
            row_gap: ROW_GAP + more * GRID,
            more_gutter: more * 3 * GRID,
            ends,
            inside: columns.into_iter().zip(apart).map(split).collect(),
            within,
            gutters: vec![Vec::new(); page + 1],
            frames: vec![Rect::default(); page + 1],
            boxes: vec![Rect::default(); drawing.boxes.len()],
        }
    }

    /// Orders the columns so that lines are short, and puts everything in its place.
    fn arrange(&mut self) {
        let page = self.drawing.frames.len();
        self.size(page);
        self.put(page, (MARGIN, MARGIN), false);
        let mut best = (i64::MAX, self.inside.clone());
        for _ in 0..SWEEPS {
            self.put(page, (MARGIN, MARGIN), true);
            let cost = self.cost();
            if cost < best.0 {
                best = (cost, self.inside.clone());
            }
            for at in 0..self.inside.len() {
                for column in 0..self.inside[at].columns.len() {
                    let mut children = std::mem::take(&mut self.inside[at].columns[column]);
                    children.sort_by_cached_key(|child| {
                        (self.pull(*child).unwrap_or(i32::MAX), *child)
                    });
                    self.inside[at].columns[column] = children;
                }
            }
            self.put(page, (MARGIN, MARGIN), false);
        }
        self.inside = best.1;
        if !is_large(self.ends.len()) {
            self.swap();
        }
        self.settle();
    }

    /// Puts everything in its place and lets the lines pull, from the same start each time.
    fn settle(&mut self) -> i64 {
        let page = self.drawing.frames.len();
        self.put(page, (MARGIN, MARGIN), false);
        for _ in 0..PULLS {
            self.put(page, (MARGIN, MARGIN), true);
        }
        self.cost()
    }

    /// Lets neighbours of a column change places as long as that helps.
    fn swap(&mut self) {
        let mut least = self.settle();
        for _ in 0..SWAPS {
            let before = least;
            for at in 0..self.inside.len() {
                for column in 0..self.inside[at].columns.len() {
                    for row in 1..self.inside[at].columns[column].len() {
                        self.inside[at].columns[column].swap(row - 1, row);
                        let cost = self.settle();
                        if cost < least {
                            least = cost;
                        } else {
                            self.inside[at].columns[column].swap(row - 1, row);
                        }
                    }
                }
            }
            if least == before {
                break;
            }
        }
    }

    /// How long the lines are, and how often straight ones would cross.
    fn cost(&self) -> i64 {
        let lines: Vec<((i32, i32), (i32, i32))> = self
            .ends
            .iter()
            .flatten()
            .map(|(from, to)| (self.boxes[*from].middle(), self.boxes[*to].middle()))
            .collect();
        let length = |(from, to): &((i32, i32), (i32, i32))| i64::from((from.1 - to.1).abs());
        let mut cost: i64 = lines.iter().map(length).sum();
        for (at, one) in lines.iter().enumerate() {
            for other in &lines[at + 1..] {
                cost += if crosses(*one, *other) { 120 } else { 0 };
            }
        }
        cost
    }

    /// The height at which the lines of a child would be shortest.
    fn pull(&self, child: Child) -> Option<i32> {
        let own = |at: usize| match child {
            Child::Box(one) => one == at,
            Child::Frame(frame) => self.within[frame].contains(&at),
        };
        let mut sum = (0, 0);
        for (from, to) in self.ends.iter().flatten() {
            let other = match (own(*from), own(*to)) {
                (true, false) => *to,
                (false, true) => *from,
                _ => continue,
            };
            sum = (sum.0 + self.boxes[other].middle().1, sum.1 + 1);
        }
        (sum.1 > 0).then(|| sum.0 / sum.1)
    }

    fn rect(&self, child: Child) -> Rect {
        match child {
            Child::Box(at) => self.boxes[at],
            Child::Frame(at) => self.frames[at],
        }
    }

    /// The gap before each column but the first: a label between neighbours wants room.
    fn gutters(&self, frame: usize) -> Vec<i32> {
        let columns = &self.inside[frame].columns;
        let all = |column: &[Child]| -> BTreeSet<usize> {
            let of = |child: &Child| match child {
                Child::Box(at) => BTreeSet::from([*at]),
                Child::Frame(at) => self.within[*at].clone(),
            };
            column.iter().flat_map(of).collect()
        };
        let gutter = |pair: &[Vec<Child>]| {
            let (left, right) = (all(&pair[0]), all(&pair[1]));
            let joins = |ends: &Option<(usize, usize)>| {
                ends.is_some_and(|(from, to)| {
                    (left.contains(&from) && right.contains(&to))
                        || (right.contains(&from) && left.contains(&to))
                })
            };
            let flows = self.ends.iter().zip(&self.drawing.flows).filter(|(ends, _)| joins(ends));
            let (mut wide, mut number) = (0, 0);
            for (_, flow) in flows {
                wide = wide.max(label_size(flow).map_or(0, |(w, _)| w + 3 * GRID));
                number += 1;
            }
            let wide = wide.max(GUTTER.0 + number * GRID / 2);
            up(wide.clamp(GUTTER.0, GUTTER.1)) + self.more_gutter
        };
        columns.windows(2).map(gutter).collect()
    }

    /// The height above the contents of a frame.
    fn head(&self, frame: usize) -> i32 {
        match self.drawing.frames.get(frame) {
            None => 0,
            Some(frame) if frame.cells.is_empty() => TITLE + 2 * GRID,
            Some(frame) => {
                let cells = i32::try_from(frame.cells.len()).unwrap_or_default();
                TITLE + 3 * GRID + cells * (CELL.1 + GRID)
            }
        }
    }

    /// The sizes of boxes and frames, from the inside out.
    fn size(&mut self, frame: usize) {
        let Inside { columns, apart } = self.inside[frame].clone();
        for child in columns.iter().flatten() {
            match child {
                Child::Box(at) => self.size_box(*at),
                Child::Frame(at) => self.size(*at),
            }
        }
        apart.iter().for_each(|at| self.size_box(*at));
        let gutters = self.gutters(frame);
        self.gutters[frame].clone_from(&gutters);
        let wide = |column: &Vec<Child>| {
            column.iter().map(|child| self.rect(*child).w).max().unwrap_or_default()
        };
        let tall = |column: &Vec<Child>| {
            let boxes: i32 = column.iter().map(|child| self.rect(*child).h).sum();
            boxes + self.gaps(column.len())
        };
        let pad = if frame == self.drawing.frames.len() { 0 } else { PAD };
        let mut w = columns.iter().map(wide).sum::<i32>() + gutters.iter().sum::<i32>();
        let mut h = columns.iter().map(tall).max().unwrap_or_default();
        if !apart.is_empty() {
            let (rows, across) = shelf(apart.len(), w);
            w = w.max(across * (CARD.0 + 2 * GRID) - 2 * GRID);
            h += rows * (CARD_BADGES + 2 * GRID) + if h > 0 { self.row_gap } else { 0 };
        }
        if let Some(drawn) = self.drawing.frames.get(frame) {
            let title = drawn.title.chars().count() + drawn.note.chars().count();
            let badges: usize =
                drawn.badges.iter().map(|badge| badge.label.chars().count() + 3).sum();
            let letters = i32::try_from(title + badges).unwrap_or_default();
            w = w.max(up(letters * LETTER / 2 + 40) - 2 * PAD);
            if !drawn.cells.is_empty() {
                w = w.max(CELL.0);
            }
            h = h.max(GRID);
        }
        let head = self.head(frame);
        self.frames[frame].w = up(w + 2 * pad);
        self.frames[frame].h = up(h + head + pad);
    }

    fn size_box(&mut self, at: usize) {
        let badges = !self.drawing.boxes[at].badges.is_empty();
        (self.boxes[at].w, self.boxes[at].h) = (CARD.0, if badges { CARD_BADGES } else { CARD.1 });
    }

    fn gaps(&self, number: usize) -> i32 {
        i32::try_from(number.saturating_sub(1)).unwrap_or_default() * self.row_gap
    }

    /// Puts the contents of a frame, whose size is known, in their places. With `pulled` each stands
    /// as near as it can to where its lines lead, as things stood before.
    fn put(&mut self, frame: usize, (x, y): (i32, i32), pulled: bool) {
        (self.frames[frame].x, self.frames[frame].y) = (x, y);
        let page = frame == self.drawing.frames.len();
        let pad = if page { 0 } else { PAD };
        let Inside { columns, apart } = self.inside[frame].clone();
        let gutters = self.gutters[frame].clone();
        let widths: Vec<i32> = columns
            .iter()
            .map(|column| column.iter().map(|child| self.rect(*child).w).max().unwrap_or_default())
            .collect();
        let inner = widths.iter().sum::<i32>() + gutters.iter().sum::<i32>();
        let spare = (self.frames[frame].w - 2 * pad - inner).max(0);
        let top = y + self.head(frame);
        let shelf_height = match apart.len() {
            0 => 0,
            number => {
                let (rows, _) = shelf(number, self.frames[frame].w - 2 * pad);
                rows * (CARD_BADGES + 2 * GRID) + self.row_gap - 2 * GRID
            }
        };
        let bottom = y + self.frames[frame].h - pad - shelf_height;
        let mut left = x + pad + down(spare / 2);
        for (at, column) in columns.iter().enumerate() {
            let tall: i32 = column.iter().map(|child| self.rect(*child).h).sum();
            let tall = tall + self.gaps(column.len());
            let room = (bottom - top - tall).max(0);
            // A frame that has a column for itself fills it.
            if let [Child::Frame(only)] = column[..]
                && !page
            {
                self.frames[only].h = bottom - top;
                self.put(only, (left, top), pulled);
            } else {
                self.stack(column, (left, widths[at]), (top, bottom, room), pulled);
            }
            left += widths[at] + gutters.get(at).copied().unwrap_or_default();
        }
        let (_, across) = shelf(apart.len().max(1), self.frames[frame].w - 2 * pad);
        for (number, at) in apart.iter().enumerate() {
            let number = i32::try_from(number).unwrap_or_default();
            let (row, column) = (number / across, number % across);
            self.boxes[*at].x = x + pad + column * (CARD.0 + 2 * GRID);
            self.boxes[*at].y = bottom + self.row_gap + row * (CARD_BADGES + 2 * GRID);
        }
    }

    /// One column: its children from top to bottom, between `top` and `bottom`.
    fn stack(
        &mut self,
        column: &[Child],
        (left, width): (i32, i32),
        (top, bottom, room): (i32, i32, i32),
        pulled: bool,
    ) {
        let mut at = top + down(room / 2);
        let mut places = Vec::new();
        for child in column {
            let height = self.rect(*child).h;
            if pulled {
                let wish = self.pull(*child).map_or(at, |pull| down(pull - height / 2));
                let first = places.last().map_or(top, |(y, h): &(i32, i32)| y + h + self.row_gap);
                at = wish.max(first);
            }
            places.push((at, height));
            at += height + self.row_gap;
        }
        // What reaches below the frame moves up, and all above it.
        let mut end = bottom;
        for (y, height) in places.iter_mut().rev() {
            *y = (*y).min(down(end - *height)).max(top);
            end = *y - self.row_gap;
        }
        let mut first = top;
        for (y, height) in &mut places {
            *y = (*y).max(first);
            first = *y + *height + self.row_gap;
        }
        for (child, (y, _)) in column.iter().zip(places) {
            let x = left + down((width - self.rect(*child).w) / 2);
            match child {
                Child::Box(one) => (self.boxes[*one].x, self.boxes[*one].y) = (x, y),
                Child::Frame(one) => self.put(*one, (x, y), pulled),
            }
        }
    }

    /// Lines and labels.
    fn finish(self) -> Layout {
        let page = self.frames[self.drawing.frames.len()];
        let (width, height) = (page.w + 2 * MARGIN, page.h + 2 * MARGIN);
        let mut cells = Vec::new();
        // Half a step outwards, beside the grid of the lines.
        let frames: Vec<Rect> =
            self.frames.iter().take(self.drawing.frames.len()).map(|rect| rect.grown(-4)).collect();
        let mut covered = Vec::new();
        for (frame, rect) in self.drawing.frames.iter().zip(&frames) {
            covered.push(Rect { h: TITLE, ..*rect });
            let place = |number: usize| {
                let row = i32::try_from(number).unwrap_or_default();
                let y = rect.y + 4 + TITLE + GRID + row * (CELL.1 + GRID);
                Rect { x: rect.x + PAD - 4, y, w: rect.w - 2 * PAD + 8, h: CELL.1 }
            };
            let own: Vec<Rect> = (0..frame.cells.len()).map(place).collect();
            covered.extend(own.iter().copied());
            cells.push(own);
        }
        let field = Field { width, height, boxes: &self.boxes, covered: &covered };
        let ways = routes::ways(&field, &self.ends, &self.drawing.flows);
        let labels = self.drawing.flows.iter().map(label_size).collect::<Vec<_>>();
        let routes = routes::labelled(&field, ways, &labels);
        Layout { width, height, frames, cells, boxes: self.boxes, routes }
    }
}

/// Whether two lines cross.
fn crosses(one: ((i32, i32), (i32, i32)), other: ((i32, i32), (i32, i32))) -> bool {
    let side = |a: (i32, i32), b: (i32, i32), c: (i32, i32)| {
        let (ax, ay, bx, by) = (i64::from(a.0), i64::from(a.1), i64::from(b.0), i64::from(b.1));
        ((bx - ax) * (i64::from(c.1) - ay) - (by - ay) * (i64::from(c.0) - ax)).signum()
    };
    side(one.0, one.1, other.0) * side(one.0, one.1, other.1) < 0
        && side(other.0, other.1, one.0) * side(other.0, other.1, one.1) < 0
}

/// The rows of a shelf for so many boxes in this width, and how many stand in a row.
fn shelf(number: usize, width: i32) -> (i32, i32) {
    let across = ((width + 2 * GRID) / (CARD.0 + 2 * GRID)).max(3);
    let number = i32::try_from(number).unwrap_or_default();
    ((number + across - 1) / across, across)
}

/// The next step of the grid.
fn up(length: i32) -> i32 {
    (length + GRID - 1).div_euclid(GRID) * GRID
}

/// The step of the grid before.
fn down(length: i32) -> i32 {
    length.div_euclid(GRID) * GRID
}
