'use strict';
(() => {
  const one = (query, from = document) => from.querySelector(query);
  const all = (query, from = document) => [...from.querySelectorAll(query)];
  const drawing = one('#drawing'), stage = one('#stage'), panel = one('#panel');
  const chosen = one('#chosen'), search = one('#search'), component = one('#component');
  const said = one('#said');
  const parts = all('.part[role=button]', drawing);
  const boxes = all('.box', drawing);
  const lines = all('.flow, .label', drawing);
  const entries = new Map(all('details.resource').map(entry => [entry.dataset.address, entry]));
  boxes.forEach((box, at) => { box.id = 'b' + at; });
  const own = part => (part.dataset.own || '').split(' ').map(name => entries.get(name)).filter(Boolean);

  // --- Which parts are shown

  const matches = entry => {
    const off = all('.toggle[aria-pressed=false]').map(toggle => toggle.dataset.action);
    return !off.includes(entry.dataset.action)
      && (!component.value || entry.dataset.component === component.value);
  };
  const filter = () => {
    const words = search.value.trim().toLowerCase();
    const says = entry => one('summary', entry).textContent.toLowerCase().includes(words)
      || one('.body .fact', entry)?.textContent.toLowerCase().includes(words);
    let shown = 0;
    for (const entry of entries.values()) {
      entry.hidden = !matches(entry) || Boolean(words && !says(entry));
      shown += entry.hidden ? 0 : 1;
    }
    all('#resources section').forEach(section => {
      section.hidden = all('details', section).every(entry => entry.hidden);
    });
    const filtered = Boolean(component.value) || all('.toggle[aria-pressed=false]').length > 0;
    for (const part of [...parts, ...boxes.filter(box => !box.dataset.own)]) {
      const mine = own(part);
      // Who stands outside stays as long as nothing is filtered.
      const gone = mine.length ? !mine.some(matches) : filtered;
      if (!part.classList.contains('head')) part.classList.toggle('gone', gone);
      part.classList.toggle('pale', Boolean(words) && !gone && !mine.some(entry => says(entry)));
    }
    for (const line of lines) {
      const ends = [line.dataset.from, line.dataset.to].map(id => document.getElementById(id));
      line.classList.toggle('gone', ends.some(end => end.classList.contains('gone')));
      line.classList.toggle('pale', Boolean(words));
    }
    said.textContent = shown + ' of ' + entries.size + ' resources shown';
    if (!focusable().includes(current)) rove(focusable()[0]);
  };
  component.addEventListener('change', filter);
  search.addEventListener('input', filter);
  all('.toggle').forEach(toggle => toggle.addEventListener('click', () => {
    toggle.setAttribute('aria-pressed', String(toggle.getAttribute('aria-pressed') !== 'true'));
    filter();
  }));

  // --- Choosing a part

  let current = null, opener = null;
  const focusable = () => parts.filter(part => !part.classList.contains('gone'));
  const rove = part => {
    if (current) current.setAttribute('tabindex', '-1');
    current = part || null;
    if (current) current.setAttribute('tabindex', '0');
  };
  const trace = part => {
    const id = part?.id;
    const hot = id ? lines.filter(line => line.dataset.from === id || line.dataset.to === id) : [];
    lines.forEach(line => line.classList.toggle('hot', hot.includes(line)));
    drawing.classList.toggle('tracing', hot.length > 0);
  };
  const title = id => one('.title', document.getElementById(id)).textContent;
  const flows = part => {
    const told = new Set();
    for (const line of all('.flow', drawing)) {
      const { from, to } = line.dataset;
      if (from !== part.id && to !== part.id) continue;
      const label = all('.label', drawing).find(
        one => one.dataset.from === from && one.dataset.to === to);
      const text = label ? ': ' + one('title', label).textContent : '';
      told.add(from === part.id ? '\u2192 ' + title(to) + text : '\u2190 ' + title(from) + text);
    }
    return [...told];
  };
  const add = (tag, text, to = chosen) => {
    const made = document.createElement(tag);
    if (text) made.textContent = text;
    to.append(made);
    return made;
  };
  const show = part => {
    const mine = own(part);
    if (!mine.length) return;
    all('.chosen', drawing).forEach(other => other.classList.remove('chosen'));
    part.classList.add('chosen');
    chosen.replaceChildren();
    add('h2', (one('.title', part) || one('title', part)).textContent);
    const copy = (entry, open) => {
      const made = entry.cloneNode(true);
      made.hidden = false;
      made.open = open;
      chosen.append(made);
    };
    mine.slice(0, 1).forEach(entry => copy(entry, true));
    const moves = part.id ? flows(part) : [];
    if (moves.length) {
      add('h3', 'Flows');
      const list = add('ul');
      moves.forEach(text => add('li', text, list));
    }
    if (mine.length > 1) add('h3', 'Belongs to it');
    mine.slice(1).forEach(entry => copy(entry, 'differs' in entry.dataset));
    opener = part;
    panel.hidden = false;
    trace(part);
    chosen.scrollTop = 0;
  };
  const close = () => {
    if (panel.hidden) return false;
    panel.hidden = true;
    all('.chosen', drawing).forEach(other => other.classList.remove('chosen'));
    trace(null);
    opener?.focus();
    return true;
  };
  one('#close').addEventListener('click', close);
  for (const part of parts) {
    part.addEventListener('click', event => { event.stopPropagation(); rove(part); part.focus(); show(part); });
    part.addEventListener('focus', () => { rove(part); if (panel.hidden) trace(part); });
    part.addEventListener('blur', () => { if (panel.hidden) trace(null); });
  }
  for (const box of boxes) {
    box.addEventListener('pointerenter', () => { if (panel.hidden) trace(box); });
    box.addEventListener('pointerleave', () => { if (panel.hidden) trace(null); });
  }

  // --- Keys

  const towards = (from, dx, dy) => {
    const middle = part => {
      const { left, right, top, bottom } = (one('rect', part) || part).getBoundingClientRect();
      return [(left + right) / 2, (top + bottom) / 2];
    };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const part of focusable()) {
      const [px, py] = middle(part);
      const ahead = (px - x) * dx + (py - y) * dy;
      const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
      if (part === from || ahead < 4) continue;
      const far = ahead + 3 * aside;
      if (far < least) { least = far; best = part; }
    }
    return best;
  };
  const arrows = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const part = document.activeElement?.closest?.('.part[role=button]');
    const typing = /^(INPUT|SELECT)$/.test(document.activeElement?.tagName || '');
    if (event.key === 'Escape') {
      if (close()) event.preventDefault();
      else if (search.value) { search.value = ''; filter(); event.preventDefault(); }
    } else if (event.key === '/' && !typing) {
      search.focus();
      event.preventDefault();
    } else if (event.key === 'Enter' && document.activeElement === search) {
      const words = search.value.trim();
      const found = words && focusable().find(
        one => !one.classList.contains('pale') && !one.classList.contains('head'));
      if (found) { found.focus(); found.scrollIntoView({ block: 'center', inline: 'center' }); }
      event.preventDefault();
    } else if (part && arrows[event.key]) {
      const next = towards(part, ...arrows[event.key]);
      if (next) { next.focus(); next.scrollIntoView({ block: 'nearest', inline: 'nearest' }); }
      event.preventDefault();
    } else if (part && (event.key === 'Enter' || event.key === ' ')) {
      show(part);
      one('#close').focus();
      event.preventDefault();
    }
  });

  // --- The view

  const [wide, high] = [drawing.width.baseVal.value, drawing.height.baseVal.value];
  let scale = 1;
  const zoom = to => {
    scale = Math.min(3, Math.max(.25, to));
    drawing.setAttribute('width', Math.round(wide * scale));
    drawing.setAttribute('height', Math.round(high * scale));
  };
  // Smaller than this, nobody can read it: then it scrolls.
  const fit = () => zoom(Math.min(1.25, Math.max(.55, (stage.clientWidth - 18) / wide)));
  one('#larger').addEventListener('click', () => zoom(scale * 1.2));
  one('#smaller').addEventListener('click', () => zoom(scale / 1.2));
  one('#fit').addEventListener('click', fit);
  stage.addEventListener('wheel', event => {
    if (!event.ctrlKey) return;
    zoom(scale * (event.deltaY < 0 ? 1.1 : 1 / 1.1));
    event.preventDefault();
  }, { passive: false });
  let grip = null;
  stage.addEventListener('pointerdown', event => {
    if (event.button !== 0 || event.pointerType !== 'mouse' || event.target.closest('[role=button]')) return;
    grip = [event.clientX, event.clientY];
    stage.classList.add('drag');
  });
  addEventListener('pointermove', event => {
    if (!grip) return;
    stage.scrollLeft -= event.clientX - grip[0];
    scrollBy(0, grip[1] - event.clientY);
    grip = [event.clientX, event.clientY];
  });
  addEventListener('pointerup', () => { grip = null; stage.classList.remove('drag'); });

  const theme = one('#theme'), dark = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => (document.documentElement.dataset.theme || (dark.matches ? 'dark' : 'light')) === 'dark';
  const tell = () => theme.setAttribute('aria-pressed', String(isDark()));
  theme.addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    tell();
  });
  dark.addEventListener('change', tell);

  // Paper is light, shows everything of the drawing, and what differs.
  let before = null;
  addEventListener('beforeprint', () => {
    close();
    before = [document.documentElement.dataset.theme, all('details.resource').filter(entry => entry.open)];
    document.documentElement.dataset.theme = 'light';
    entries.forEach(entry => { entry.open = 'differs' in entry.dataset; });
  });
  addEventListener('afterprint', () => {
    if (!before) return;
    const [look, open] = before;
    if (look) document.documentElement.dataset.theme = look;
    else delete document.documentElement.dataset.theme;
    entries.forEach(entry => { entry.open = open.includes(entry); });
  });

  tell();
  rove(parts.find(part => part.classList.contains('box')) || parts[0]);
  fit();
  addEventListener('resize', fit);
})();
