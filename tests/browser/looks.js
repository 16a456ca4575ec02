// Measures of what a page looks like, asked by looks.py: each is a function that returns a list of faults, as sentences.
const looks = (() => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const brush = canvas.getContext('2d', {willReadFrequently: true});

  // Whatever form a computed colour has: [red, green, blue, alpha].
  function colour(value) {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = '#000';
    brush.fillStyle = value;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }

  function over(front, back) {
    const alpha = front[3];
    return [0, 1, 2].map(i => front[i] * alpha + back[i] * (1 - alpha)).concat(1);
  }

  function ancestors(element) {
    const found = [];
    for (let one = element; one; one = one.parentElement) found.push(one);
    return found;
  }

  // A modal dialog lies over its backdrop, not over what it stands in: its own background is opaque or it is a fault.
  function background(element) {
    const layers = ancestors(element).map(one => colour(getComputedStyle(one).backgroundColor));
    const base = colour(matchMedia('(prefers-color-scheme: dark)').matches ? '#121212' : '#fff');
    return layers.reverse().reduce((below, layer) => over(layer, below), base);
  }

  function luminance(rgb) {
    const [red, green, blue] = rgb.slice(0, 3).map(part => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function ratio(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }

  function isShown(element) {
    return element.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true});
  }

  // What is kept for screen readers alone is cut to a pixel.
  function isCutAway(element) {
    return ancestors(element).some(one => {
      const box = one.getBoundingClientRect();
      return box.width <= 1 && box.height <= 1 && getComputedStyle(one).overflow !== 'visible';
    });
  }

  function describe(element) {
    const name = element.tagName.toLowerCase() + (element.id ? '#' + element.id : '');
    return name + (element.classList.length ? '.' + [...element.classList].join('.') : '');
  }

  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      const hidden = !element || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'OPTION', 'TITLE'].includes(element.tagName);
      if (!hidden && walker.currentNode.data.trim() && isShown(element) && !isCutAway(element)) {
        found.push([element, walker.currentNode.data.trim()]);
      }
    }
    return found;
  }

  function fields() {
    const kinds = 'input:not([type=checkbox]):not([type=radio]), textarea, select';
    return [...document.querySelectorAll(kinds)].filter(isShown);
  }

  // WCAG 2 AA: 4.5, and 3 for large letters. What is disabled is exempt.
  function pale(element, text, pseudo) {
    const style = getComputedStyle(element, pseudo);
    if (element.closest(':disabled, [aria-disabled=true]')) return [];
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const behind = background(element);
    const front = colour(element.ownerSVGElement ? style.fill : style.color);
    const opacity = ancestors(element).reduce((share, one) => share * getComputedStyle(one).opacity, 1);
    front[3] *= opacity * (pseudo ? style.opacity : 1);
    const found = ratio(over(front, behind), behind);
    return found < (isLarge ? 3 : 4.5) ? [`${found.toFixed(2)} in ${describe(element)}: ${text.slice(0, 40)}`] : [];
  }

  return {
    contrast() {
      const placeholders = fields().filter(field => field.placeholder && !field.value);
      return [...texts().flatMap(([element, text]) => pale(element, text)),
              ...fields().flatMap(field => pale(field, field.value)),
              ...placeholders.flatMap(field => pale(field, field.placeholder, '::placeholder'))];
    },

    // Nobody has to scroll sideways: not the page, and not what scrolls by itself, but for a region made
    // for that, which has a name and which the keyboard reaches (a long output).
    width() {
      const frames = [...document.querySelectorAll('*')].filter(
        one => one === document.scrollingElement || ['auto', 'scroll'].includes(getComputedStyle(one).overflowX));
      const isRegion = one => one.matches('[role=region][tabindex][aria-label], textarea');
      return frames.filter(one => one.scrollWidth > one.clientWidth + 1 && !isRegion(one)).map(frame => {
        const edge = frame.getBoundingClientRect().left + frame.clientWidth + 1;
        const wide = [...frame.querySelectorAll('*')].filter(one => one.getBoundingClientRect().right > edge);
        return `${describe(frame)} has ${frame.clientWidth} and needs ${frame.scrollWidth}: ${wide.slice(0, 8).map(describe).join(', ')}`;
      });
    },

    // Controls smaller than a finger (WCAG 2.2 AA: 24 by 24); links within a sentence are exempt.
    targets() {
      const controls = [...document.querySelectorAll('button, input, select, textarea, summary, [role=button], [role=tab]')];
      return controls.filter(one => isShown(one) && !isCutAway(one) && !one.disabled).flatMap(one => {
        const box = (one.closest('label') ?? one).getBoundingClientRect();
        const isSmall = box.width && (box.width < 24 || box.height < 24);
        return isSmall ? [`${describe(one)} is ${box.width.toFixed(0)} by ${box.height.toFixed(0)}`] : [];
      });
    },

    moving() {
      return document.getAnimations().filter(one => one.playState === 'running' && one.effect.getTiming().duration > 10)
        .map(one => `${describe(one.effect.target)} moves`);
    },

    // Whether whoever uses the keyboard sees where they are: by the element's outline, or that of the row it stands in.
    focus() {
      const element = document.activeElement;
      const isShown = ancestors(element).map(one => getComputedStyle(one)).some(
        style => style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1);
      return isShown ? [] : [`${describe(element)} does not show that it has the focus`];
    },
  };
})();
