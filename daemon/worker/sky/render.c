/* See render.h. */
#include "daemon/worker/sky/render.h"
#include "daemon/worker/sky/psf.h"
#include "daemon/worker/sky/sersic.h"

#include <complex.h>
#include <errno.h>
#include <fftw3.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { SIDE_MAX = 768, PLAN_MAX = 32 };

#define FLUX_OUTSIDE     5e-4 /* fraction of a source's flux that may lie outside its stamp */
#define FAINTEST_NMGY_PX 2e-5 /* a stamp reaches to where a bright source has fallen to this */

struct renderer {
    double fwhm[BAND_COUNT], alpha[BAND_COUNT];
    double k_max; /* beyond it every band's PSF has taken all away */
    struct hankel *hankel;
    struct sersic_transform sersic;
    int side; /* of the plans and buffers below */
    double complex *spectrum[BAND_COUNT];
    double *pixels[BAND_COUNT];
    struct {
        int side;
        fftw_plan plan;
    } plans[PLAN_MAX];
};

/* Sides whose transforms are quick. */
static const int SIDES[] = {32,  40,  48,  56,  64,  72,  80,  96,  112, 128, 144,     160,
                            192, 224, 256, 288, 320, 384, 448, 512, 576, 640, SIDE_MAX};

static int side_at_least(double wanted)
{
    size_t i = 0;
    while (i + 1 < sizeof SIDES / sizeof *SIDES && SIDES[i] < wanted)
        i++;
    return SIDES[i];
}

/* Where a bright point source, or the PSF's wings of a galaxy, are no longer worth drawing. */
static double radius_of_brightness(double fwhm, double flux)
{
    double r = 2 * fwhm;
    while (flux * psf_brightness(fwhm, r) > FAINTEST_NMGY_PX && r < SIDE_MAX)
        r *= 1.1;
    return r;
}

static int choose_side(const struct renderer *renderer, const struct light *light)
{
    double radius = 0;
    for (int b = 0; b < BAND_COUNT; b++) {
        radius = fmax(radius, psf_radius(renderer->fwhm[b], FLUX_OUTSIDE));
        radius = fmax(radius, radius_of_brightness(renderer->fwhm[b], light->flux[b]));
    }
    if (light->size_px > 0)
        radius = hypot(radius, light->size_px * sersic_radius(light->n, FLUX_OUTSIDE));
    return side_at_least(2 * radius + 2);
}

int renderer_create(struct renderer **out, const double fwhm_px[BAND_COUNT], struct err *err)
{
    CLEANUP(renderer_destroy_ptr) struct renderer *renderer = calloc(1, sizeof *renderer);
    if (!renderer)
        return err_set(err, -ENOMEM, "out of memory for drawing galaxies");
    for (int b = 0; b < BAND_COUNT; b++) {
        if (!(fwhm_px[b] > 0.5 && fwhm_px[b] < 100))
            return err_set(err, -EINVAL, "a PSF of %g px FWHM in band %c cannot be drawn (0.5 to 100 px can)",
                           fwhm_px[b], BAND_NAMES[b]);
        renderer->fwhm[b] = fwhm_px[b];
        renderer->alpha[b] = psf_alpha(fwhm_px[b]);
        renderer->k_max = fmax(renderer->k_max, PSF_X_MAX / renderer->alpha[b]);
        renderer->spectrum[b] = fftw_alloc_complex(SIDE_MAX * (SIDE_MAX / 2 + 1));
        renderer->pixels[b] = fftw_alloc_real(SIDE_MAX * SIDE_MAX);
        if (!renderer->spectrum[b] || !renderer->pixels[b])
            return err_set(err, -ENOMEM, "out of memory for drawing galaxies");
    }
    int code = hankel_create(&renderer->hankel, err);
    if (!code)
        *out = TAKE(renderer);
    return code;
}

void renderer_destroy(struct renderer *renderer)
{
    if (!renderer)
        return;
    for (int b = 0; b < BAND_COUNT; b++) {
        fftw_free(renderer->spectrum[b]);
        fftw_free(renderer->pixels[b]);
    }
    for (int i = 0; i < PLAN_MAX && renderer->plans[i].plan; i++)
        fftw_destroy_plan(renderer->plans[i].plan);
    hankel_destroy(renderer->hankel);
    free(renderer);
}

static fftw_plan plan_of(struct renderer *renderer, int side)
{
    int i = 0;
    while (renderer->plans[i].plan && renderer->plans[i].side != side)
        i++;
    if (!renderer->plans[i].plan) {
        renderer->plans[i].side = side;
        renderer->plans[i].plan = fftw_plan_dft_c2r_2d(side, side, renderer->spectrum[0], renderer->pixels[0],
                                                       FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    }
    return renderer->plans[i].plan;
}

/* |k|^2 in half-light radii squared is xx kx^2 + xy kx ky + yy ky^2: the ellipse's own axes, stretched. */
struct ellipse {
    double xx, xy, yy;
};

static struct ellipse ellipse_of(const struct light *light)
{
    double c = cos(light->angle_rad), s = sin(light->angle_rad);
    double major = light->size_px * light->size_px, minor = major * light->ba * light->ba;
    return (struct ellipse){major * c * c + minor * s * s, 2 * (major - minor) * s * c,
                            major * s * s + minor * c * c};
}

/* A pixel's sinc and the phase of the centre, along one axis: term m at factors[m + reach]. */
static void fill_axis(double complex *factors, int reach, int side, double centre)
{
    for (int m = -reach; m <= reach; m++) {
        double k = 2 * M_PI * m / side;
        factors[m + reach] = (m ? sin(0.5 * k) / (0.5 * k) : 1) * cexp(-I * k * centre);
    }
}

/* Adds one row of wave numbers, ky of index my, to the folded spectra. */
static void add_row(struct renderer *renderer, const struct ellipse *ellipse, bool galaxy,
                    const double complex *axis_x, double complex factor_y, int reach, int my)
{
    int side = renderer->side, columns = side / 2 + 1;
    double step = 2 * M_PI / side, ky = my * step;
    long row = ((my % side) + side) % side;
    for (int mx = -reach; mx <= reach; mx++) {
        int column = ((mx % side) + side) % side;
        double kx = mx * step, k2 = kx * kx + ky * ky;
        if (column >= columns || k2 > renderer->k_max * renderer->k_max)
            continue;
        double complex value = axis_x[mx + reach] * factor_y;
        if (galaxy)
            value *=
                sersic_transform_at(&renderer->sersic, log(ellipse->xx * kx * kx + ellipse->xy * kx * ky +
                                                           ellipse->yy * ky * ky));
        double k = sqrt(k2);
        for (int b = 0; b < BAND_COUNT; b++)
            renderer->spectrum[b][row * columns + column] += value * psf_transform(k * renderer->alpha[b]);
    }
}

static int fill_spectra(struct renderer *renderer, const struct light *light, double x, double y,
                        struct err *err)
{
    int side = renderer->side, reach = (int)(renderer->k_max * side / (2 * M_PI)) + 1;
    size_t axis = 2 * (size_t)reach + 1;
    CLEANUP(free_ptr) double complex *axis_x = malloc(2 * axis * sizeof *axis_x);
    if (!axis_x)
        return err_set(err, -ENOMEM, "out of memory for drawing galaxies");
    double complex *axis_y = axis_x + axis;
    struct ellipse ellipse = ellipse_of(light);
    fill_axis(axis_x, reach, side, x);
    fill_axis(axis_y, reach, side, y);
    for (int b = 0; b < BAND_COUNT; b++)
        memset(renderer->spectrum[b], 0, (size_t)side * (size_t)(side / 2 + 1) * sizeof **renderer->spectrum);
    for (int my = -reach; my <= reach; my++)
        add_row(renderer, &ellipse, light->size_px > 0, axis_x, axis_y[my + reach], reach, my);
    return 0;
}

int renderer_draw(struct renderer *renderer, const struct light *light, struct stamp *stamp, struct err *err)
{
    if (light->size_px > 0 && renderer->sersic.n != light->n)
        sersic_transform_fill(&renderer->sersic, renderer->hankel, light->n);
    int side = renderer->side = choose_side(renderer, light);
    stamp->side = side;
    stamp->x0 = lrint(light->x_px) - side / 2;
    stamp->y0 = lrint(light->y_px) - side / 2;
    int code =
        fill_spectra(renderer, light, light->x_px - (double)stamp->x0, light->y_px - (double)stamp->y0, err);
    fftw_plan plan = plan_of(renderer, side);
    if (!code && !plan)
        code = err_set(err, -ENOMEM, "FFTW cannot plan a transform of %d x %d px", side, side);
    for (int b = 0; !code && b < BAND_COUNT; b++) {
        fftw_execute_dft_c2r(plan, renderer->spectrum[b], renderer->pixels[b]);
        double scale = light->flux[b] / ((double)side * side);
        for (int i = 0; i < side * side; i++)
            renderer->pixels[b][i] *= scale;
        stamp->pixels[b] = renderer->pixels[b];
    }
    return code;
}

void stamp_add(const struct stamp *stamp, int band, float *plane, long width, long height)
{
    for (int j = 0; j < stamp->side; j++) {
        long y = stamp->y0 + j;
        if (y < 0 || y >= height)
            continue;
        for (int i = 0; i < stamp->side; i++) {
            long x = stamp->x0 + i;
            if (x >= 0 && x < width)
                plane[y * width + x] += (float)stamp->pixels[band][j * stamp->side + i];
        }
    }
}
