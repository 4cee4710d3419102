//! Lines between boxes: each runs on the grid, bends rarely, crosses no box, and shares a stretch only
//! with lines of the same beginning or the same end. Then the labels, where they cover nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::layout::{GRID, Rect, Route, is_large};
use crate::model::Flow;

/// What lines must mind.
pub(crate) struct Field<'a> {
    pub width: i32,
    pub height: i32,
    pub boxes: &'a [Rect],
    /// Titles and cells: a line may cross them if it must, a label never covers them.
    pub covered: &'a [Rect],
}

/// The prices of a way, in hundredths of a step.
const STEP: u32 = 100;
const BEND: u32 = 500;
const CROSS: u32 = 450;
const SHARED: u32 = 60;
/// A trunk of lines with the same beginning ends soon: each then has room for a label of its own.
const TRUNK: u32 = 30;
const ALONG: u32 = 4000;
const NEAR: u32 = 50;
const COVERED: u32 = 700;

/// The directions: right, down, left, up.
const TURNS: [(i32, i32); 4] = [(1, 0), (0, 1), (-1, 0), (0, -1)];

/// The way of a flow as points of the grid.
type Way = Vec<(i32, i32)>;

/// The flows that run through each point, each with whether it runs across or down there.
struct Use {
    columns: i32,
    points: Vec<Vec<(usize, bool)>>,
}

impl Use {
    fn new(map: &Map) -> Self {
        Self { columns: map.columns, points: vec![Vec::new(); map.blocked.len()] }
    }

    fn number(&self, (x, y): (i32, i32)) -> Option<usize> {
        let inside = (0..self.columns).contains(&x) && y >= 0;
        inside.then(|| usize::try_from(y * self.columns + x).unwrap_or(usize::MAX))
    }

    fn at(&self, point: (i32, i32)) -> &[(usize, bool)] {
        self.number(point).and_then(|at| self.points.get(at)).map_or(&[], Vec::as_slice)
    }

    fn take(&mut self, flow: usize, way: &[(i32, i32)]) {
        for (point, across) in steps(way) {
            let here = self.number(point).and_then(|at| self.points.get_mut(at));
            if let Some(here) = here.filter(|here| !here.contains(&(flow, across))) {
                here.push((flow, across));
            }
        }
    }

    fn leave(&mut self, flow: usize, way: &[(i32, i32)]) {
        for (point, _) in steps(way) {
            if let Some(here) = self.number(point).and_then(|at| self.points.get_mut(at)) {
                here.retain(|(one, _)| *one != flow);
            }
        }
    }
}

struct Map {
    columns: i32,
    rows: i32,
    blocked: Vec<bool>,
    covered: Vec<bool>,
}

impl Map {
    fn new(field: &Field<'_>) -> Self {
        let (columns, rows) = (field.width / GRID + 1, field.height / GRID + 1);
        let size = usize::try_from(columns * rows).unwrap_or_default();
        let mut map =
            Self { columns, rows, blocked: vec![false; size], covered: vec![false; size] };
        for rect in field.boxes {
            map.each(rect.grown(GRID - 1), |map, at| map.blocked[at] = true);
        }
        for rect in field.covered {
            map.each(*rect, |map, at| map.covered[at] = true);
        }
        map
    }

    fn each(&mut self, rect: Rect, mut set: impl FnMut(&mut Self, usize)) {
        for y in rect.y.div_euclid(GRID)..=rect.bottom().div_euclid(GRID) {
            for x in rect.x.div_euclid(GRID)..=rect.right().div_euclid(GRID) {
                let inside = x * GRID >= rect.x
                    && x * GRID <= rect.right()
                    && y * GRID >= rect.y
                    && y * GRID <= rect.bottom();
                if let Some(at) = self.at((x, y)).filter(|_| inside) {
                    set(self, at);
                }
            }
        }
    }

    fn at(&self, (x, y): (i32, i32)) -> Option<usize> {
        let inside = x >= 0 && y >= 0 && x < self.columns && y < self.rows;
        inside.then(|| usize::try_from(y * self.columns + x).unwrap_or_default())
    }
}

/// The places where a line may leave or reach a box, by direction of leaving: a point on the edge and
/// the next one outside. Lines out and lines in have places of their own.
fn doors(rect: Rect, out: bool) -> [((i32, i32), (i32, i32)); 4] {
    let (left, top) = (rect.x / GRID, rect.y / GRID);
    let (right, bottom) = (rect.right() / GRID, rect.bottom() / GRID);
    let aside = if out { 1 } else { -1 };
    let (x, y) = ((left + right) / 2 + 2 * aside, (top + bottom) / 2 - aside);
    [
        ((right, y), (right + 1, y)),
        ((x, bottom), (x, bottom + 1)),
        ((left, y), (left - 1, y)),
        ((x, top), (x, top - 1)),
    ]
}

/// The ways of all flows, in points of the drawing.
pub(crate) fn ways(
    field: &Field<'_>,
    ends: &[Option<(usize, usize)>],
    flows: &[Flow],
) -> Vec<Option<Way>> {
    let map = Map::new(field);
    let far = |(from, to): (usize, usize)| {
        let (from, to) = (field.boxes[from].middle(), field.boxes[to].middle());
        (from.0 - to.0).abs() + (from.1 - to.1).abs()
    };
    let mut order: Vec<usize> = (0..ends.len()).filter(|at| ends[*at].is_some()).collect();
    order.sort_by_key(|at| (flows[*at].quiet, ends[*at].map(far), *at));
    let mut used = Use::new(&map);
    let mut found: Vec<Option<Way>> = vec![None; ends.len()];
    // Once more with all others in view: the first ways were chosen blindly.
    let passes = if is_large(ends.len()) { 1 } else { 2 };
    for _ in 0..passes {
        for at in &order {
            if let Some(way) = &found[*at] {
                used.leave(*at, way);
            }
            let Some((from, to)) = ends[*at] else { continue };
            // Only where another line leads to the same box may a step cost less.
            let joins = |(other, way): (usize, &Option<Way>)| {
                way.is_some() && other != *at && ends[other].is_some_and(|other| other.1 == to)
            };
            let least = if found.iter().enumerate().any(joins) { SHARED } else { STEP };
            let way = search(&map, field, (from, to), &used, (ends, least));
            if let Some(way) = &way {
                used.take(*at, way);
            }
            found[*at] = way;
        }
    }
    let scaled = |way: Way| way.into_iter().map(|(x, y)| (x * GRID, y * GRID)).collect();
    found.into_iter().map(|way| way.map(scaled)).collect()
}

fn steps(way: &[(i32, i32)]) -> impl Iterator<Item = ((i32, i32), bool)> + '_ {
    way.windows(2).flat_map(|pair| {
        let across = pair[0].1 == pair[1].1;
        [(pair[0], across), (pair[1], across)]
    })
}

/// The cheapest way between two boxes (A*). The points are all steps of it.
fn search(
    map: &Map,
    field: &Field<'_>,
    (from, to): (usize, usize),
    used: &Use,
    (ends, least): (&[Option<(usize, usize)>], u32),
) -> Option<Way> {
    let starts = doors(field.boxes[from], true);
    let goals = doors(field.boxes[to], false);
    let size = map.blocked.len() * 4;
    let mut cost = vec![u32::MAX; size];
    let mut before = vec![u32::MAX; size];
    let mut open = BinaryHeap::new();
    let guess = |(x, y): (i32, i32)| {
        let near = goals.iter().map(|(_, (gx, gy))| x.abs_diff(*gx) + y.abs_diff(*gy)).min();
        near.unwrap_or_default() * least
    };
    let key = |at: usize, turn: usize| at * 4 + turn;
    for (turn, (_, outside)) in starts.iter().enumerate() {
        let Some(at) = map.at(*outside) else { continue };
        if map.blocked[at] && !goals.iter().any(|(_, goal)| goal == outside) {
            continue;
        }
        // Lines rather leave to the sides, as texts run.
        let first = if turn % 2 == 0 { 0 } else { 2 * STEP };
        cost[key(at, turn)] = first;
        open.push(Reverse((first + guess(*outside), first, key(at, turn))));
    }
    let mut end = None;
    while let Some(Reverse((_, so_far, state))) = open.pop() {
        if so_far > cost[state] {
            continue;
        }
        let (at, turn) = (state / 4, state % 4);
        let place = i32::try_from(at).unwrap_or_default();
        let (x, y) = (place % map.columns, place / map.columns);
        // It arrives against the direction in which a line would leave.
        let arrived = goals.iter().enumerate().find(|(side, (_, goal))| {
            *goal == (x, y) && TURNS[*side].0 == -TURNS[turn].0 && TURNS[*side].1 == -TURNS[turn].1
        });
        if let Some((_, (door, _))) = arrived {
            end = Some((state, *door));
            break;
        }
        for (next, (dx, dy)) in TURNS.iter().enumerate() {
            if (next + 2) % 4 == turn {
                continue;
            }
            let point = (x + dx, y + dy);
            let Some(there) = map.at(point) else { continue };
            if map.blocked[there] {
                continue;
            }
            let across = *dy == 0;
            let mut price = STEP;
            price += if next == turn { 0 } else { BEND };
            price += if map.covered[there] { COVERED } else { 0 };
            price += friction(used, ends, (from, to), point, across);
            let meets = |kin: fn((usize, usize), (usize, usize)) -> bool| {
                used.at(point).iter().any(|(flow, runs)| {
                    *runs == across && ends[*flow].is_some_and(|other| kin(other, (from, to)))
                })
            };
            if meets(|one, other| one.1 == other.1) {
                price = price.saturating_sub(STEP - SHARED);
            } else if meets(|one, other| one.0 == other.0) {
                price += TRUNK;
            }
            let total = so_far + price;
            let state_there = key(there, next);
            if total < cost[state_there] {
                cost[state_there] = total;
                before[state_there] = u32::try_from(state).unwrap_or(u32::MAX);
                open.push(Reverse((total + guess(point), total, state_there)));
            }
        }
    }
    let (mut state, door) = end?;
    let mut way = vec![door];
    let first = loop {
        let place = i32::try_from(state / 4).unwrap_or_default();
        way.push((place % map.columns, place / map.columns));
        match before[state] {
            u32::MAX => break state % 4,
            previous => state = usize::try_from(previous).unwrap_or_default(),
        }
    };
    way.push(starts[first].0);
    way.reverse();
    Some(way)
}

/// Whether two flows may share a stretch: they begin or end at the same box.
fn is_kin(other: Option<(usize, usize)>, (from, to): (usize, usize)) -> bool {
    other.is_some_and(|other| other.0 == from || other.1 == to)
}

/// What it costs to go through a point that others use, or to run close beside them.
fn friction(
    used: &Use,
    ends: &[Option<(usize, usize)>],
    own: (usize, usize),
    (x, y): (i32, i32),
    across: bool,
) -> u32 {
    let mut price = 0;
    for (flow, runs) in used.at((x, y)) {
        price += match (is_kin(ends[*flow], own), *runs == across) {
            (true, true) => 0,
            (true, false) => CROSS / 3,
            (false, true) => ALONG,
            (false, false) => CROSS,
        };
    }
    let beside = |by: &i32| {
        let side = if across { (x, y + by) } else { (x + by, y) };
        used.at(side).iter().any(|(_, runs)| *runs == across)
    };
    let close = [-1, 1].iter().filter(|by| beside(by)).count() * 2;
    let near = [-2, 2].iter().filter(|by| beside(by)).count();
    price + u32::try_from(close + near).unwrap_or_default() * NEAR
}

/// The corners of a way.
fn corners(way: &[(i32, i32)]) -> Vec<(i32, i32)> {
    let mut corners: Vec<(i32, i32)> = Vec::new();
    for point in way {
        if let [.., one, two] = corners[..]
            && ((one.0 == two.0 && two.0 == point.0) || (one.1 == two.1 && two.1 == point.1))
        {
            corners.pop();
        }
        corners.push(*point);
    }
    corners
}

/// The ways as lines with their labels.
pub(crate) fn labelled(
    field: &Field<'_>,
    ways: Vec<Option<Way>>,
    sizes: &[Option<(i32, i32)>],
) -> Vec<Option<Route>> {
    let mut used: BTreeMap<(i32, i32), Vec<usize>> = BTreeMap::new();
    for (flow, way) in ways.iter().enumerate() {
        for point in way.iter().flatten() {
            used.entry(*point).or_default().push(flow);
        }
    }
    let mut placed: Vec<Rect> = Vec::new();
    let mut labels = vec![None; ways.len()];
    // The long ones first: they have the fewest places.
    let mut order: Vec<usize> = (0..ways.len()).collect();
    order.sort_by_key(|at| (Reverse(sizes[*at]), *at));
    for flow in order {
        let (Some(way), Some(size)) = (&ways[flow], sizes[flow]) else { continue };
        labels[flow] = place(field, &used, &placed, (flow, way), size);
        placed.extend(labels[flow]);
    }
    let route = |(way, label): (Option<Way>, Option<Rect>)| {
        way.map(|way| Route { points: corners(&way), label })
    };
    ways.into_iter().zip(labels).map(route).collect()
}

/// The best free place for a label on a way.
fn place(
    field: &Field<'_>,
    used: &BTreeMap<(i32, i32), Vec<usize>>,
    placed: &[Rect],
    (flow, way): (usize, &Way),
    (w, h): (i32, i32),
) -> Option<Rect> {
    let page = Rect { x: 0, y: 0, w: field.width, h: field.height };
    let last = way.len().saturating_sub(1);
    let mut best: Option<(i32, Rect)> = None;
    for (at, (x, y)) in way.iter().enumerate() {
        let rect = Rect { x: x - w / 2, y: y - h / 2, w, h };
        let is_free = page.holds(rect)
            && !field.boxes.iter().any(|other| other.grown(2).meets(rect))
            && !field.covered.iter().any(|other| other.meets(rect))
            && !placed.iter().any(|other| other.grown(2).meets(rect));
        if !is_free {
            continue;
        }
        // Other lines under the label, and a stretch that is shared, tell the wrong story.
        let mut worse = 0;
        for (point, flows) in used.range((rect.x, i32::MIN)..(rect.right() + 1, i32::MIN)) {
            if point.1 >= rect.y - 1 && point.1 <= rect.bottom() + 1 {
                let others = flows.iter().filter(|one| **one != flow).count();
                worse += 3 * i32::try_from(others).unwrap_or_default();
            }
        }
        let own = used.get(&(*x, *y)).map_or(0, Vec::len);
        worse += if own > 1 { 60 } else { 0 };
        let before = way.get(at.wrapping_sub(1)).copied().unwrap_or((*x, *y));
        let after = way.get(at + 1).copied().unwrap_or((*x, *y));
        worse += if before.1 == after.1 { 0 } else { 6 };
        let off_middle = i32::try_from(at.abs_diff(last / 2)).unwrap_or_default();
        let score = worse * 4 + off_middle;
        if best.is_none_or(|(known, _)| score < known) {
            best = Some((score, rect));
        }
    }
    best.map(|(_, rect)| rect)
}
