//! What holds for every drawing, seen on random ones; and one small picture as a whole.

use std::collections::BTreeSet;

use crate::layout::{Layout, Rect, TITLE, layout};
use crate::model::{Action, Badge, Card, Cell, Drawing, Field, Flow, Frame, Line, Look, Resource};
use crate::symbols::SYMBOLS;
use crate::{has_symbol, html, svg};

fn resource(address: &str, action: Option<Action>) -> Resource {
    Resource {
        address: address.into(),
        name: format!("dev-{address}"),
        component: "queues".into(),
        origin: "config/base.toml:3".into(),
        action,
        remarks: Vec::new(),
        fields: vec![Field { path: "delay".into(), lines: vec![Line::Same("0".into())] }],
    }
}

fn frame(id: &str, parent: Option<&str>, column: u32, look: Look) -> Frame {
    Frame {
        id: id.into(),
        parent: parent.map(str::to_owned),
        column,
        look,
        title: id.into(),
        note: String::new(),
        cells: Vec::new(),
        resource: None,
        badges: Vec::new(),
    }
}

fn card(id: &str, frame: Option<&str>, column: Option<u32>, symbol: &str) -> Card {
    Card {
        id: id.into(),
        frame: frame.map(str::to_owned),
        column,
        symbol: symbol.into(),
        title: id.into(),
        note: symbol.into(),
        resource: Some(resource(&format!("a.{symbol}/{id}"), None)),
        badges: Vec::new(),
    }
}

fn flow(from: &str, to: &str, label: &str) -> Flow {
    Flow { from: from.into(), to: to.into(), label: label.into(), quiet: false }
}

fn small() -> Drawing {
    let mut queue = card("jobs", Some("account"), Some(1), "queue");
    queue.resource = Some(resource("a.queue/jobs", Some(Action::Create)));
    queue.badges = vec![Badge {
        symbol: "alarm".into(),
        word: "alarm".into(),
        label: "2 alarms".into(),
        resources: vec![
            resource("a.alarm/old", Some(Action::Change)),
            resource("a.alarm/deep", None),
        ],
    }];
    Drawing {
        title: "A plan".into(),
        summary: "One new queue".into(),
        remarks: vec!["Refused: nothing".into()],
        is_plan: true,
        frames: vec![frame("account", None, 1, Look::Account)],
        boxes: vec![card("worker", Some("account"), Some(2), "function"), queue],
        flows: vec![flow("jobs", "worker", "batches of 10")],
    }
}

/// A drawing of anything: frames in frames, full and empty, columns of all lengths, flows that go
/// forwards, backwards, to themselves and to nobody.
fn random(random: &mut fastrand::Rng) -> Drawing {
    let looks = [Look::Account, Look::Region, Look::Network, Look::Tier];
    let mut drawing = Drawing::default();
    for number in 0..random.usize(0..7) {
        let parent = (number > 0 && random.u8(0..4) > 0)
            .then(|| format!("frame-{}", random.usize(0..number)));
        let mut own = frame(
            &format!("frame-{number}"),
            parent.as_deref(),
            random.u32(0..4),
            looks[random.usize(0..4)],
        );
        for cell in 0..random.usize(0..4) {
            own.cells.push(Cell {
                title: format!("zone-{cell}"),
                note: "10.0.0.0/24".into(),
                resource: resource(&format!("a.subnet/{number}-{cell}"), None),
            });
        }
        drawing.frames.push(own);
    }
    let boxes = random.usize(0..28);
    for number in 0..boxes {
        let frames = drawing.frames.len();
        let frame = (frames > 0 && random.u8(0..5) > 0)
            .then(|| format!("frame-{}", random.usize(0..frames)));
        let column = (random.u8(0..8) > 0).then(|| random.u32(0..4));
        let symbol = SYMBOLS[random.usize(0..SYMBOLS.len())].name;
        let mut own = card(&format!("box-{number}"), frame.as_deref(), column, symbol);
        if random.bool() {
            own.badges = small().boxes[1].badges.clone();
        }
        drawing.boxes.push(own);
    }
    for _ in 0..random.usize(0..2 * boxes + 1) {
        let end = |random: &mut fastrand::Rng| format!("box-{}", random.usize(0..boxes + 1));
        let label: String =
            "POST /process of a long name".chars().take(random.usize(0..29)).collect();
        let mut own = flow(&end(random), &end(random), &label);
        own.quiet = random.bool();
        drawing.flows.push(own);
    }
    drawing
}

/// Expects what must hold for every drawing.
#[track_caller]
fn check(drawing: &Drawing, layout: &Layout) {
    let page = Rect { x: 0, y: 0, w: layout.width, h: layout.height };
    let frame = |id: &Option<String>| {
        let id = id.as_ref()?;
        drawing.frames.iter().position(|frame| frame.id == *id)
    };
    for (at, one) in layout.boxes.iter().enumerate() {
        for (other_at, other) in layout.boxes.iter().enumerate().skip(at + 1) {
            assert!(!one.grown(4).meets(*other), "boxes {at} and {other_at}: {one:?} {other:?}");
        }
        assert!(page.holds(*one), "box {at} is outside of the page: {one:?}");
        for (number, rect) in layout.frames.iter().enumerate() {
            let mut around = frame(&drawing.boxes[at].frame);
            while around.is_some_and(|around| around != number) {
                around = around.and_then(|around| frame(&drawing.frames[around].parent));
            }
            if around.is_some() {
                let inner = Rect { y: rect.y + TITLE, h: rect.h - TITLE, ..*rect };
                assert!(inner.holds(*one), "box {at} is outside of frame {number}");
            } else {
                assert!(
                    !rect.meets(*one),
                    "box {at} stands in frame {number}, which is not its own"
                );
            }
        }
        let covers = |cell: &&Rect| cell.meets(*one);
        assert_eq!(layout.cells.iter().flatten().find(covers), None, "box {at} covers a cell");
    }
    for (at, one) in layout.frames.iter().enumerate() {
        let own = frame(&drawing.frames[at].parent);
        assert!(own.map_or(page, |own| layout.frames[own]).holds(*one), "frame {at}");
        for (other, rect) in layout.frames.iter().enumerate().skip(at + 1) {
            let nested = rect.holds(*one) || one.holds(*rect);
            assert!(nested || !one.meets(*rect), "frames {at} and {other}");
        }
        for cell in &layout.cells[at] {
            assert!(one.holds(*cell), "a cell is outside of frame {at}");
        }
    }
    let mut labels: Vec<Rect> = Vec::new();
    for (flow, route) in drawing.flows.iter().zip(&layout.routes) {
        let end = |id: &str| drawing.boxes.iter().position(|card| card.id == id);
        let ends = end(&flow.from).zip(end(&flow.to)).filter(|(from, to)| from != to);
        assert_eq!(ends.is_some(), route.is_some(), "{flow:?}");
        let (Some((from, to)), Some(route)) = (ends, route) else { continue };
        for (end, point) in [(from, route.points.first()), (to, route.points.last())] {
            let &(x, y) = point.expect("a line has points");
            let rect = layout.boxes[end];
            let on_edge = ((x == rect.x || x == rect.right())
                && (rect.y..=rect.bottom()).contains(&y))
                || ((y == rect.y || y == rect.bottom()) && (rect.x..=rect.right()).contains(&x));
            assert!(on_edge, "a line does not reach its box: {point:?} {rect:?}");
        }
        for pair in route.points.windows(2) {
            let [(ax, ay), (bx, by)] = [pair[0], pair[1]];
            assert!(ax == bx || ay == by, "a line is not straight: {pair:?}");
            let (x, y, w, h) = (ax.min(bx), ay.min(by), (ax - bx).abs(), (ay - by).abs());
            let line = Rect { x, y, w: w.max(1), h: h.max(1) };
            for (at, rect) in layout.boxes.iter().enumerate() {
                assert!(!rect.grown(-1).meets(line), "a line of {flow:?} crosses box {at}");
            }
        }
        if let Some(label) = route.label {
            assert!(page.holds(label), "a label is outside of the page");
            for rect in layout.boxes.iter().chain(layout.cells.iter().flatten()).chain(&labels) {
                assert!(!label.meets(*rect), "the label of {flow:?} covers something");
            }
            labels.push(label);
        }
    }
}

#[test]
fn nothing_overlaps_in_any_drawing() {
    for seed in 0..40 {
        let drawing = random(&mut fastrand::Rng::with_seed(seed));
        let laid = layout(&drawing);
        check(&drawing, &laid);
        let again = layout(&drawing);
        assert_eq!((laid.boxes, laid.routes), (again.boxes, again.routes), "seed {seed}");
    }
}

#[test]
fn a_long_chain_of_labels_finds_room() {
    let name = |number: usize| format!("step-{number}");
    let boxes =
        (0..12).map(|at| card(&name(at), None, Some(u32::try_from(at % 3).unwrap()), "queue"));
    let flows = (1..12).map(|at| flow(&name(at - 1), &name(at), "messages of a kind"));
    let drawing = Drawing { boxes: boxes.collect(), flows: flows.collect(), ..Drawing::default() };
    let laid = layout(&drawing);
    check(&drawing, &laid);
    assert!(laid.routes.iter().flatten().all(|route| route.label.is_some()));
}

#[test]
fn a_drawing_without_anything_is_a_page_too() {
    let empty = Drawing::default();
    assert!(svg(&empty).contains("</svg>"));
    assert!(html(&empty).contains("</html>"));
}

#[test]
fn frames_that_name_each_other_stand_on_the_page() {
    let frames = vec![
        frame("one", Some("two"), 0, Look::Region),
        frame("two", Some("one"), 0, Look::Tier),
        frame("self", Some("self"), 0, Look::Tier),
    ];
    let boxes = vec![card("jobs", Some("nowhere"), Some(0), "nothing")];
    let drawing = Drawing { frames, boxes, ..Drawing::default() };
    assert!(svg(&drawing).contains("</svg>"));
}

#[test]
fn texts_of_others_stay_texts() {
    let mut drawing = small();
    let hostile = "</script><script>alert(1)</script>\"'&\u{202e}\u{1b}";
    drawing.title = hostile.into();
    drawing.boxes[0].title = hostile.into();
    drawing.flows[0].label = hostile.into();
    let own = drawing.boxes[0].resource.as_mut().unwrap();
    own.address = hostile.into();
    own.fields[0].path = hostile.into();
    own.fields[0].lines = vec![Line::New(hostile.into())];
    for text in [svg(&drawing), html(&drawing)] {
        assert!(!text.contains("alert(1)</script>") && !text.contains("<script>alert"));
        assert!(!text.contains(['\u{202e}', '\u{1b}']));
    }
}

#[test]
fn a_page_asks_the_network_for_nothing() {
    let page = html(&small());
    for asks in ["src=", "href=", "url(h", "@import", "fetch(", "http://", "https://"] {
        assert!(!page.contains(asks), "{asks}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn symbols_have_names_of_their_own() {
    let names: BTreeSet<&str> = SYMBOLS.iter().map(|symbol| symbol.name).collect();
    assert_eq!(names.len(), SYMBOLS.len());
    assert!(has_symbol("queue") && !has_symbol("nothing"));
}

#[test]
fn a_small_picture() {
    let picture = svg(&small());
    let style = picture.find("<style>").unwrap()..picture.find("</style>").unwrap();
    let mut picture = picture;
    picture.replace_range(style, "<style>");
    insta::assert_snapshot!(picture);
}
